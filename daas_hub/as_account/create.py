"""Creates directories below an open one: what an account may, or what root may where nobody squashes it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from daas_hub.as_account.wanted import DIRECTORY, CannotOpen, Wanted
from daas_hub.errors import ErrorKind

_NOT_CREATED = "does not exist, and {who} may not create it"
#: Why nothing new can be made in a directory, worded to follow its name.
_NO_ROOM = {
    errno.ENOSPC: "is full",
    errno.EDQUOT: "is full: the quota is exhausted",
    errno.EROFS: "is on storage that is read-only",
}


def make_directory(name: str, parent: int, owner: tuple[int, int]) -> bool:
    """Make a directory on which another one is mounted; return whether a directory of this name is there now.

    Raises:
        CannotOpen: there is no room for it.
        OSError: it cannot be made.
    """
    try:
        os.mkdir(name, mode=0o755, dir_fd=parent)
    except FileExistsError:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except OSError as error:
        if error.errno in _NO_ROOM:
            words = f"{_NO_ROOM[error.errno]}, so that {name!r} cannot be created in it"
            raise CannotOpen(words, ErrorKind.NO_ROOM) from error
        raise
    if os.geteuid() == 0:
        fd = os.open(name, DIRECTORY | os.O_NOFOLLOW | os.O_RDONLY, dir_fd=parent)
        try:
            _require_new(fd)
            os.fchown(fd, *owner)
        finally:
            os.close(fd)
    return True


def _require_new(fd: int) -> None:
    """Check that an open directory is the one that root has just made: its name may mean another one by now.

    Raises:
        PermissionError: it is somebody else's, or has something in it; or root is squashed.
    """
    if os.fstat(fd).st_uid != os.geteuid() or os.listdir(fd):
        raise PermissionError(errno.EPERM, "the new directory is not the one that was made")


def make_passage(path: Path, *, for_account: bool) -> None:
    """Make the missing part of an administrator's path; every account may pass through, whatever the hub's umask is."""
    if path.is_dir():
        return
    if for_account:
        raise CannotOpen(_NOT_CREATED, ErrorKind.NOT_CREATED, may_root=True)
    make_passage(path.parent, for_account=False)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def create(wanted: Wanted, name: str, parent: int, *, last: bool, for_account: bool) -> None:
    """Make one directory below an open one; an existing one keeps its owner and mode: it is somebody's."""
    if _exists(name, parent):
        return
    if last and wanted.owner == (-1, -1) and (for_account or os.geteuid() == 0):
        # made for nobody, it would be a shared directory nobody else can write to
        raise CannotOpen(
            "does not exist yet, and the proposal has no group to share it with", ErrorKind.NO_SHARED_GROUP
        )
    if for_account and not last:
        # made by one member, its owner could replace what others have below it
        raise CannotOpen(_NOT_CREATED, ErrorKind.NOT_CREATED, may_root=True)
    try:
        os.mkdir(name, mode=0o700 if last else 0o755, dir_fd=parent)
    except FileExistsError:
        return
    except PermissionError as error:
        raise CannotOpen(_NOT_CREATED, ErrorKind.NOT_CREATED, may_root=True) from error
    try:
        _give(wanted, name, parent, last=last, for_account=for_account)
    except PermissionError as error:
        # root, squashed: the directory belongs to nobody
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=parent)
        raise CannotOpen(_NOT_CREATED, ErrorKind.NOT_CREATED, may_root=True) from error


def _exists(name: str, parent: int) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _give(wanted: Wanted, name: str, parent: int, *, last: bool, for_account: bool) -> None:
    """Set the owner and mode of a new directory."""
    fd = os.open(name, DIRECTORY | os.O_NOFOLLOW | os.O_RDONLY, dir_fd=parent)
    try:
        if not last:
            os.fchmod(fd, 0o755)  # the account passes through, and cannot replace what is below
            return
        uid, gid = wanted.owner
        if os.geteuid() == 0:
            _require_new(fd)
            os.fchown(fd, uid, gid)
        elif for_account and gid != os.fstat(fd).st_gid:
            # one of its own groups; the owner is the account already
            os.fchown(fd, -1, gid)
        with_setgid = for_account or os.geteuid() == 0
        os.fchmod(fd, wanted.mode if with_setgid else stat.S_IMODE(wanted.mode) & 0o777)
    finally:
        os.close(fd)
