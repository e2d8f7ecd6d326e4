"""Opens the directories of a plan: the only module that accesses the facility's file systems.

Each directory is opened component by component below its allowed root, never through a symbolic link, and kept open:
what was checked is what is compared with the mount later (`Pinned.identity`). Opening a directory also mounts an
automounted one. A pattern is looked for in the same walk, and must be one directory exactly. Every touch runs in a
thread of its own with a time limit, because a hung NFS server blocks a thread for ever, and must not block the hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from daas_hub.errors import ErrorKind, StorageProblem
from daas_hub.launch import Mount

#: Seconds until a directory that does not answer is given up.
TIMEOUT_S = 8.0

#: Launches that may have given up on one and the same directory before the next is refused at once: each of them left
#: a thread behind, and more would only pile up on a dead server. A course of forty starts together, on a live one.
MAX_GIVEN_UP = 4

#: Names that are looked at for one pattern, in all its directories together, before it is given up.
MAX_LOOKED_AT = 50_000

_given_up: Counter[PurePosixPath] = Counter()
_counting = threading.Lock()

_FAILURES = {
    errno.ENOENT: ("does not exist", ErrorKind.DIRECTORY_MISSING),
    errno.EACCES: ("cannot be read by the portal", ErrorKind.DIRECTORY_UNREADABLE),
    errno.ELOOP: ("contains a symbolic link, which is not followed", ErrorKind.SYMLINK),
    errno.ENOTDIR: (
        "is not a directory, or contains a symbolic link, which is not followed",
        ErrorKind.NOT_A_DIRECTORY,
    ),
    errno.ESTALE: ("is not available (stale file handle)", ErrorKind.STORAGE),
    errno.EIO: ("cannot be read (input/output error)", ErrorKind.STORAGE),
}


@dataclass
class Pinned:
    """An open directory of a plan. Whoever asked for it closes it.

    Attributes:
        mount: as it was opened: what a pattern stood for, or what was taken when the first was missing.
    """

    mount: Mount
    fd: int
    identity: tuple[int, int]

    def close(self) -> None:
        """Close the directory; a second time does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


async def pin(mounts: tuple[Mount, ...], *, timeout_s: float = TIMEOUT_S) -> tuple[Pinned, ...]:
    """Open (and where the mount says so, create) every directory; optional ones that are missing are left out.

    Raises:
        StorageProblem: which directory (as the session calls it), and why; all others are closed again.
    """
    pinned: list[Pinned] = []
    try:
        for mount in mounts:
            try:
                pinned.append(await _within(timeout_s, mount))
            except _Missing:
                if not mount.optional:
                    raise
        if any(mount.is_data for mount in mounts) and not any(one.mount.is_data for one in pinned):
            raise StorageProblem(
                "No data have been recorded for this visit yet.",
                remedy="Please launch again when there are some.",
                kind=ErrorKind.NO_DATA_YET,
            )
    except BaseException:
        for one in pinned:
            one.close()
        raise
    return tuple(pinned)


async def make_mount_points(
    pinned: tuple[Pinned, ...], names: tuple[str, ...], owner: tuple[int, int], *, timeout_s: float = TIMEOUT_S
) -> None:
    """Make folders of these names in the home, if there are none: other directories are mounted on them.

    An engine would make them itself, as root, and through a link.

    Raises:
        StorageProblem: the home does not answer, or something else has such a name.
    """
    home = next((one for one in pinned if one.mount.target == "."), None)
    if home is None or not names:
        return
    # its own descriptor: when the home does not answer, ours is closed while the thread still waits
    fd = os.dup(home.fd)

    def work() -> Pinned:
        try:
            for name in names:
                _make_mount_point(home.mount, name, fd, owner)
        finally:
            os.close(fd)
        return Pinned(home.mount, -1, home.identity)

    await _within(timeout_s, home.mount, work)


def _make_mount_point(home: Mount, name: str, fd: int, owner: tuple[int, int]) -> None:
    try:
        os.mkdir(name, mode=0o755, dir_fd=fd)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            raise StorageProblem(
                f"Your home has a file or link named {name!r}, where a directory must be.",
                remedy=f"Rename {name!r} in your home, then launch again.",
                kind=ErrorKind.NOT_A_DIRECTORY,
            ) from None
    except OSError as error:
        raise _failure(home, error, "cannot be written") from error
    else:
        if os.geteuid() == 0:
            os.chown(name, *owner, dir_fd=fd, follow_symlinks=False)


async def _within(timeout_s: float, mount: Mount, do: Callable[[], Pinned] | None = None) -> Pinned:
    """Open one directory in a thread; one that never comes back is left alone, and what it opens late is closed.

    Args:
        do: what the thread does instead.
    """
    if _given_up[mount.source] >= MAX_GIVEN_UP:
        raise _problem(mount, "still has not responded to an earlier launch", ErrorKind.STORAGE_TIMEOUT)
    answer: Future[Pinned] = Future()
    answer.set_running_or_notify_cancel()  # from here on nobody can cancel it: what it opens is closed by us

    def work() -> None:
        try:
            answer.set_result(do() if do else _open(mount))
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=work, name="storage", daemon=True).start()
    is_ours = False
    try:
        pinned = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(answer)), timeout_s)
        is_ours = True
        return pinned
    except TimeoutError:
        raise _problem(mount, f"did not respond within {timeout_s:g} seconds", ErrorKind.STORAGE_TIMEOUT) from None
    finally:
        if not is_ours:
            _give_up(mount.source, answer)


def _give_up(source: PurePosixPath, answer: Future[Pinned]) -> None:
    """Leave a thread to itself, and count it until it comes back."""

    def came_late(answer: Future[Pinned]) -> None:
        with _counting:
            _given_up[source] -= 1
            if _given_up[source] <= 0:
                del _given_up[source]
        if answer.exception() is None:
            answer.result().close()

    with _counting:
        _given_up[source] += 1
    answer.add_done_callback(came_late)


class _Missing(StorageProblem):
    """There is no such directory: the only problem for which something else may be taken instead."""


def _open(mount: Mount) -> Pinned:
    """Open a mount's directory, or the first of its others that is there."""
    first, *others = (replace(one, otherwise=()) for one in (mount, *mount.otherwise))
    try:
        return _open_one(first)
    except _Missing:
        for one in others:
            with contextlib.suppress(_Missing):
                return _open_one(one)
        raise


def _open_one(mount: Mount) -> Pinned:
    if mount.pattern:
        mount = replace(mount, source=_found(mount), pattern=False)
    relative = mount.source.relative_to(mount.root)
    flags = os.O_DIRECTORY | os.O_CLOEXEC
    with contextlib.ExitStack() as undo:
        try:
            if mount.create:
                _make_passage(Path(mount.root))
            fd = os.open(mount.root, flags | os.O_PATH)
            for index, part in enumerate(relative.parts):
                undo.callback(os.close, fd)
                if mount.create:
                    _create(mount, part, fd, last=index == len(relative.parts) - 1)
                fd = os.open(part, flags | os.O_NOFOLLOW | os.O_PATH, dir_fd=fd)
        except OSError as error:
            raise _failure(mount, error) from error
    status = os.fstat(fd)
    if mount.writable and _is_anybodys(status, mount.owner[0]):
        os.close(fd)
        raise _problem(mount, "can be changed by everybody, and belongs to somebody else", ErrorKind.WORLD_WRITABLE)
    return Pinned(mount, fd, (status.st_dev, status.st_ino))


def _is_anybodys(status: os.stat_result, owner: int) -> bool:
    """Return whether everybody may write to a directory whose owner is neither the administrator nor the person.

    Results that anybody can replace are nobody's. Root's own mode is the administrator's decision.
    """
    return bool(status.st_mode & stat.S_IWOTH) and status.st_uid not in (0, os.geteuid(), owner)


def _found(mount: Mount) -> PurePosixPath:
    """Return the one directory that a pattern stands for.

    Raises:
        StorageProblem: there is none, or there are several, or too many names would have to be looked at.
    """
    parts = mount.source.relative_to(mount.root).parts
    left = [MAX_LOOKED_AT]
    try:
        root = os.open(mount.root, _flags_for(parts))
        try:
            found = []
            for path in _matching(root, parts, left):
                found.append(path)
                if len(found) > 1:
                    raise _problem(
                        mount, "matches several directories, and none of them was chosen", ErrorKind.SEVERAL_MATCHES
                    )
        finally:
            os.close(root)
    except OverflowError:
        raise _problem(mount, "is in a directory with too many entries to search", ErrorKind.TOO_MANY_NAMES) from None
    except OSError as error:
        raise _failure(mount, error) from error
    if not found:
        raise _failure(mount, FileNotFoundError(errno.ENOENT, "no directory matches"))
    return mount.root.joinpath(*found[0])


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
    return os.O_DIRECTORY | os.O_CLOEXEC | (0 if parts and "*" in parts[0] else os.O_PATH)


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


def _failure(mount: Mount, error: OSError, otherwise: str = "cannot be opened") -> StorageProblem:
    """Return the text of a system error."""
    words, kind = _FAILURES.get(error.errno or 0, (error.strerror or otherwise, ErrorKind.STORAGE))
    return _problem(mount, words, kind)


def _make_passage(path: Path) -> None:
    """Make the missing part of an administrator's path; every account may pass through, whatever the hub's umask is."""
    if path.is_dir():
        return
    _make_passage(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def _exists(name: str, parent: int) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _create(mount: Mount, name: str, parent: int, *, last: bool) -> None:
    """Make one directory below an open one; an existing one keeps its owner and mode: it is somebody's."""
    if last and mount.owner == (-1, -1) and os.geteuid() == 0 and not _exists(name, parent):
        # made by root for nobody, it would be a shared directory nobody can write to
        raise _problem(
            mount, "does not exist yet, and the proposal has no group to share it with", ErrorKind.NO_SHARED_GROUP
        )
    try:
        os.mkdir(name, mode=0o700 if last else 0o755, dir_fd=parent)
    except FileExistsError:
        return
    fd = os.open(name, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_RDONLY, dir_fd=parent)
    try:
        if not last:
            os.fchmod(fd, 0o755)  # the account passes through, and cannot replace what is below
            return
        if os.geteuid() == 0:
            os.fchown(fd, *mount.owner)
        os.fchmod(fd, mount.mode if os.geteuid() == 0 else stat.S_IMODE(mount.mode) & 0o777)
    finally:
        os.close(fd)


def _problem(mount: Mount, why: str, kind: ErrorKind) -> StorageProblem:
    # the path is for the log; the user knows the directory by its name in the session
    home = mount.target == "."
    if kind is ErrorKind.STORAGE_TIMEOUT:
        what = f"The storage behind {'your home directory' if home else f'~/{mount.target}'}"
    else:
        what = "Your home directory" if home else f"The directory ~/{mount.target}"
    of = _Missing if kind is ErrorKind.DIRECTORY_MISSING else StorageProblem
    problem = of(f"{what} {why}.", remedy="Please try again later, or contact the administrators.", kind=kind)
    problem.add_note(f"source: {mount.source}")
    return problem
