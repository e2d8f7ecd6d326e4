"""Opens and creates directories with the rights of the calling process, component by component.

No symbolic link below the allowed root is ever followed. What is opened is kept open: it is what is compared with the
mount later. A pattern is looked for in the same walk, and must be one directory exactly.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from daas_hub.errors import ErrorKind

_FLAGS = os.O_DIRECTORY | os.O_CLOEXEC
_NOT_CREATED = "does not exist, and {who} may not create it"

_FAILURES = {
    errno.ENOENT: ("does not exist", ErrorKind.DIRECTORY_MISSING),
    errno.EACCES: ("cannot be read by {who}", ErrorKind.DIRECTORY_UNREADABLE),
    errno.EPERM: ("cannot be read by {who}", ErrorKind.DIRECTORY_UNREADABLE),
    errno.ELOOP: ("contains a symbolic link, which is not followed", ErrorKind.SYMLINK),
    errno.ENOTDIR: (
        "is not a directory, or contains a symbolic link, which is not followed",
        ErrorKind.NOT_A_DIRECTORY,
    ),
    errno.ESTALE: ("is not available (stale file handle)", ErrorKind.STORAGE),
    errno.EIO: ("cannot be read (input/output error)", ErrorKind.STORAGE),
    errno.ENOTCONN: ("is not available (its file server is gone)", ErrorKind.STORAGE),
    errno.EHOSTDOWN: ("is not available (its file server is down)", ErrorKind.STORAGE),
    errno.ETIMEDOUT: ("is not available (its file server does not respond)", ErrorKind.STORAGE),
    errno.ENOKEY: ("needs Kerberos credentials of {who}", ErrorKind.NO_KERBEROS),
    errno.EKEYEXPIRED: ("needs Kerberos credentials of {who}, which have expired", ErrorKind.NO_KERBEROS),
    errno.EDQUOT: ("cannot be created: the quota is exhausted", ErrorKind.NOT_CREATED),
    errno.ENOSPC: ("cannot be created: the storage is full", ErrorKind.NOT_CREATED),
    errno.EROFS: ("cannot be created: the storage is read-only", ErrorKind.NOT_CREATED),
}


@dataclass(frozen=True)
class Wanted:
    """One directory to open (see `daas_hub.launch.Mount`)."""

    root: str
    source: str
    writable: bool = False
    create: bool = False
    owner: tuple[int, int] = (-1, -1)
    mode: int = 0o700
    pattern: bool = False
    #: maximum number of names that are looked at for a pattern
    names: int = 0

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Wanted:
        """Return what `dataclasses.asdict` made of it."""
        return cls(**document | {"owner": tuple(document["owner"])})

    @property
    def parts(self) -> tuple[str, ...]:
        """The components below the root."""
        return PurePosixPath(self.source).relative_to(self.root).parts


class CannotOpen(Exception):
    """Why a directory cannot be opened, worded to follow its name."""

    def __init__(self, words: str, kind: ErrorKind, *, may_root: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.kind = kind
        #: whether root might create it on a disk that does not squash root
        self.may_root = may_root


def cannot_open(error: OSError, otherwise: str = "cannot be opened") -> CannotOpen:
    """Return the text of a system error; "{who}" stands for whose rights were not enough."""
    words, kind = _FAILURES.get(error.errno or 0, (error.strerror or otherwise, ErrorKind.STORAGE))
    return CannotOpen(words, kind)


def make_directory(name: str, parent: int, owner: tuple[int, int]) -> bool:
    """Make a directory on which another one is mounted; return whether a directory of this name is there now.

    Raises:
        OSError: it cannot be made.
    """
    try:
        os.mkdir(name, mode=0o755, dir_fd=parent)
    except FileExistsError:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    if os.geteuid() == 0:
        os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
    return True


def open_below(root: int, path: str) -> int:
    """Open a directory below an open one, through no symbolic link.

    Raises:
        OSError: it is not there, or cannot be reached.
    """
    fd = os.dup(root)
    try:
        for part in PurePosixPath(path).parts:
            inner = os.open(part, _FLAGS | os.O_NOFOLLOW | os.O_PATH, dir_fd=fd)
            os.close(fd)
            fd = inner
    except OSError:
        os.close(fd)
        raise
    return fd


def open_first(wanted: list[Wanted], *, for_account: bool) -> tuple[int, str, int]:
    """Open the first of these directories that is there; return its index, its path and its descriptor.

    Args:
        for_account: whether the process is an account, whom another one's missing directory is not made for.

    Raises:
        CannotOpen: the first one cannot be opened, or none is there.
    """
    missing: CannotOpen | None = None
    for index, one in enumerate(wanted):
        try:
            source, fd = _open(one, for_account=for_account)
            return index, source, fd
        except CannotOpen as problem:
            if problem.kind is not ErrorKind.DIRECTORY_MISSING:
                raise
            missing = missing or problem
    assert missing is not None
    raise missing


def _open(wanted: Wanted, *, for_account: bool) -> tuple[str, int]:
    if wanted.pattern:
        wanted = replace(wanted, source=_found(wanted), pattern=False)
    parts = wanted.parts
    with contextlib.ExitStack() as undo:
        try:
            if wanted.create:
                _make_passage(Path(wanted.root), for_account=for_account)
            fd = os.open(wanted.root, _FLAGS | os.O_PATH)
            for index, part in enumerate(parts):
                undo.callback(os.close, fd)
                if wanted.create:
                    _create(wanted, part, fd, last=index == len(parts) - 1, for_account=for_account)
                fd = os.open(part, _FLAGS | os.O_NOFOLLOW | os.O_PATH, dir_fd=fd)
        except OSError as error:
            raise cannot_open(error) from error
    status = os.fstat(fd)
    if wanted.writable and _is_anybodys(status, wanted.owner[0]):
        os.close(fd)
        raise CannotOpen("can be changed by everybody, and belongs to somebody else", ErrorKind.WORLD_WRITABLE)
    return wanted.source, fd


def _is_anybodys(status: os.stat_result, owner: int) -> bool:
    """Return whether everybody may write to a directory whose owner is neither the administrator nor the person.

    Results that anybody can replace are nobody's. Root's own mode is the administrator's decision.
    """
    return bool(status.st_mode & stat.S_IWOTH) and status.st_uid not in (0, os.geteuid(), owner)


# -- patterns ----------------------------------------------------------------------------------------------------


def _found(wanted: Wanted) -> str:
    """Return the one directory that a pattern stands for."""
    parts = wanted.parts
    left = [wanted.names]
    try:
        root = os.open(wanted.root, _flags_for(parts))
        try:
            found = []
            for path in _matching(root, parts, left):
                found.append(path)
                if len(found) > 1:
                    raise CannotOpen(
                        "matches several directories, and none of them was chosen", ErrorKind.SEVERAL_MATCHES
                    )
        finally:
            os.close(root)
    except OverflowError:
        raise CannotOpen("is in a directory with too many entries to search", ErrorKind.TOO_MANY_NAMES) from None
    except OSError as error:
        raise cannot_open(error) from error
    if not found:
        raise cannot_open(FileNotFoundError(errno.ENOENT, "no directory matches"))
    return str(PurePosixPath(wanted.root).joinpath(*found[0]))


def _matching(folder: int, parts: tuple[str, ...], left: list[int]) -> Iterator[tuple[str, ...]]:
    """Return each path below an open folder that matches; a link is a match, too, and is refused when it is opened."""
    if not parts:
        yield ()
        return
    for name in _names(folder, parts[0], left):
        try:
            inner = os.open(name, _flags_for(parts[1:]) | os.O_NOFOLLOW, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
                raise
            if error.errno != errno.ENOENT and _is_link(name, folder):
                yield (name, *parts[1:])
            continue
        try:
            for rest in _matching(inner, parts[1:], left):
                yield (name, *rest)
        finally:
            os.close(inner)


def _flags_for(parts: tuple[str, ...]) -> int:
    """Return how a folder is opened before these parts are looked for in it: readable only if its names are."""
    return _FLAGS | (0 if parts and "*" in parts[0] else os.O_PATH)


def _names(folder: int, part: str, left: list[int]) -> list[str]:
    """Return the names in an open folder that one component stands for."""
    if "*" not in part:
        return [part]
    pattern = re.compile(".*".join(map(re.escape, part.split("*"))))
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            left[0] -= 1
            if left[0] < 0:
                raise OverflowError
            # a hidden directory is nobody's visit
            if pattern.fullmatch(entry.name) and (part.startswith(".") or not entry.name.startswith(".")):
                found.append(entry.name)
    return sorted(found)


def _is_link(name: str, folder: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


# -- creating ----------------------------------------------------------------------------------------------------


def _make_passage(path: Path, *, for_account: bool) -> None:
    """Make the missing part of an administrator's path; every account may pass through, whatever the hub's umask is."""
    if path.is_dir():
        return
    if for_account:
        raise CannotOpen(_NOT_CREATED, ErrorKind.NOT_CREATED, may_root=True)
    _make_passage(path.parent, for_account=False)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def _create(wanted: Wanted, name: str, parent: int, *, last: bool, for_account: bool) -> None:
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
        raise CannotOpen(_NOT_CREATED, ErrorKind.NOT_CREATED, may_root=for_account) from error
    try:
        _give(wanted, name, parent, last=last, for_account=for_account)
    except PermissionError as error:
        # root, squashed: the directory belongs to nobody
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=parent)
        raise CannotOpen(_NOT_CREATED, ErrorKind.NOT_CREATED, may_root=for_account) from error


def _exists(name: str, parent: int) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _give(wanted: Wanted, name: str, parent: int, *, last: bool, for_account: bool) -> None:
    """Set the owner and mode of a new directory."""
    fd = os.open(name, _FLAGS | os.O_NOFOLLOW | os.O_RDONLY, dir_fd=parent)
    try:
        if not last:
            os.fchmod(fd, 0o755)  # the account passes through, and cannot replace what is below
            return
        uid, gid = wanted.owner
        if os.geteuid() == 0:
            os.fchown(fd, uid, gid)
        elif for_account and gid != os.fstat(fd).st_gid:
            # one of its own groups; the owner is the account already
            os.fchown(fd, -1, gid)
        with_setgid = for_account or os.geteuid() == 0
        os.fchmod(fd, wanted.mode if with_setgid else stat.S_IMODE(wanted.mode) & 0o777)
    finally:
        os.close(fd)
