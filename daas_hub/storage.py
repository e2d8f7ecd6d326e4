"""Opens the directories of a plan: the only module that accesses the facility's file systems.

What touches storage runs in a process that has become the account (`daas_hub.as_account`): to a file server that
squashes root, the hub is nobody. The process opens each directory component by component below its allowed root, never
through a symbolic link, and hands it over open: what was checked is what is compared with the mount later
(`Pinned.identity`).
Every request has a time limit, because a hung NFS server holds a process for ever, and must not hold the hub.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any

from daas_hub.accounts import Account
from daas_hub.as_account.become import can_become
from daas_hub.as_account.client import AccountProcess, has_ended
from daas_hub.as_account.wanted import Wanted
from daas_hub.errors import ErrorKind, StorageProblem
from daas_hub.launch import Mount

#: Seconds until a directory that does not answer is given up.
TIMEOUT_S = 8.0

#: Processes that may be left behind on one and the same directory before the next launch is refused at once: those that
#: even SIGKILL does not end would pile up on a dead server. A course of forty starts together, on a live one.
MAX_LEFT_BEHIND = 4
#: The same for all directories together: beyond it, a root that holds one is refused at once.
MAX_LEFT_BEHIND_IN_ALL = 64

#: Names that are looked at for one pattern, in all its directories together, before it is given up.
MAX_LOOKED_AT = 50_000

_log = logging.getLogger("jupyterhub.daas")


@dataclass
class Pinned:
    """An open directory of a plan. The caller closes it.

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


class _LeftBehind:
    """The processes that did not end although they were killed: a file system holds them."""

    def __init__(self) -> None:
        self._processes: list[tuple[Mount, int]] = []

    def add(self, mount: Mount, pidfd: int) -> None:
        if pidfd >= 0:
            self._processes.append((mount, pidfd))

    def refuses(self, mount: Mount) -> bool:
        """Return whether too many processes hang for one more on this directory."""
        for one in [one for one in self._processes if has_ended(one[1])]:
            os.close(one[1])
            self._processes.remove(one)
        here = sum(other.source == mount.source for other, _ in self._processes)
        near = any(other.root == mount.root for other, _ in self._processes)
        return here >= MAX_LEFT_BEHIND or (near and len(self._processes) >= MAX_LEFT_BEHIND_IN_ALL)


_left_behind = _LeftBehind()


class _Missing(StorageProblem):
    """There is no such directory: the only problem for which something else may be taken instead."""


class _NeedsRoot(StorageProblem):
    """The process may not create it; root may."""


class AccountStorage:
    """The storage as one account sees it, for one launch; an async context manager.

    Args:
        account: who acts; None for the hub's own user. A hub that cannot become an account acts as itself, too.
        timeout_s: seconds for each directory.
    """

    def __init__(self, account: Account | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._is_account = account is not None and can_become()
        ids = (account.uid, account.gid, account.groups) if account is not None and self._is_account else None
        self._process = AccountProcess(ids)
        self._root = AccountProcess(None)

    async def __aenter__(self) -> AccountStorage:
        """Open nothing yet: the first request does."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End its processes."""
        self._process.close()
        self._root.close()

    async def pin(self, mounts: Sequence[Mount]) -> tuple[Pinned, ...]:
        """Open (and where the mount says so, create) every directory; optional ones that are missing are left out.

        Raises:
            StorageProblem: which directory (as the session calls it), and why; all others are closed again.
        """
        pinned: list[Pinned] = []
        try:
            for mount in mounts:
                try:
                    pinned.append(await self._pin_one(mount))
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

    async def _pin_one(self, mount: Mount) -> Pinned:
        """Open a directory as the account; what only root can create is created by root, then opened as the account."""
        try:
            return await self._open(self._process, mount)
        except _NeedsRoot as problem:
            if not self._is_account:
                raise _not_created(mount) from problem
        try:
            (await self._open(self._root, mount)).close()
        except StorageProblem as problem:
            if problem.kind in (ErrorKind.NOT_CREATED, ErrorKind.DIRECTORY_UNREADABLE):
                raise _not_created(mount) from problem
            raise
        return await self._open(self._process, replace(mount, create=False))

    async def _open(self, process: AccountProcess, mount: Mount) -> Pinned:
        choices = [replace(one, otherwise=()) for one in (mount, *mount.otherwise)]
        answer, fds = await self._ask(process, mount, {"do": "open", "wanted": [_wanted(one) for one in choices]})
        taken = replace(choices[answer["index"]], source=PurePosixPath(answer["source"]), pattern=False)
        device, inode = answer["identity"]
        return Pinned(taken, fds[0], (device, inode))

    async def make_mount_points(self, pinned: Sequence[Pinned], names: tuple[str, ...], owner: tuple[int, int]) -> None:
        """Make folders of these names in the home, if there are none: other directories are mounted on them.

        An engine would make them itself, as root, and through a link.

        Raises:
            StorageProblem: the home does not answer, or something else has such a name.
        """
        home = _home_of(pinned)
        if home is None or not names:
            return
        request = {"do": "make", "names": names, "owner": owner}
        try:
            answer, _ = await self._ask(self._process, home.mount, request, home.fd)
        except _NeedsRoot:
            if not self._is_account:
                raise
            answer, _ = await self._ask(self._root, home.mount, request, home.fd)
        if answer["taken"] is not None:
            name = answer["taken"]
            problem = StorageProblem(
                f"Your home has a file or link named {name!r}, where a directory must be.",
                remedy=f"Rename {name!r} in your home, then launch again.",
                kind=ErrorKind.NOT_A_DIRECTORY,
            )
            problem.is_about_home = True
            raise problem

    async def open_inside(self, folder: int, names: Sequence[str], mount: Mount) -> list[int]:
        """Open directories by their names in an open one; the caller closes them.

        Args:
            mount: what to name if one cannot be opened.
        """
        if not names:
            return []
        return (await self._ask(self._process, mount, {"do": "open_inside", "paths": list(names)}, folder))[1]

    async def root_can_reach(self, pinned: Sequence[Pinned], names: Sequence[str]) -> bool:
        """Return whether root, too, reaches these directories by their paths, and these names in the home.

        An engine walks a path as root. A hub that does not act as the account is never in the way.
        """
        if not self._is_account:
            return True
        home = _home_of(pinned)
        try:
            for one in pinned:
                (await self._open(self._root, replace(one.mount, create=False))).close()
            if home is not None and names:
                request = {"do": "open_inside", "paths": list(names)}
                for fd in (await self._ask(self._root, home.mount, request, home.fd))[1]:
                    os.close(fd)
        except StorageProblem as problem:
            if problem.kind is ErrorKind.DIRECTORY_UNREADABLE:
                return False
            raise
        return True

    async def mount_as_root(self, mount: Mount, request: dict[str, Any], *fds: int) -> list[int]:
        """Mount something open, as root (see `daas_hub.as_account.mounts`); return what that opened."""
        return (await self._ask(self._root, mount, request, *fds))[1]

    async def identities(self, root: int, paths: Sequence[str], mount: Mount) -> list[tuple[int, int] | None]:
        """Return device and inode of directories below an open root; None for one that the account cannot reach.

        Args:
            mount: what to name if nothing answers.
        """
        answer, _ = await self._ask(self._process, mount, {"do": "compare", "paths": list(paths)}, root)
        return [None if one is None else (one[0], one[1]) for one in answer["seen"]]

    async def describe(self, fds: Sequence[int], mount: Mount) -> list[tuple[int, int, bool]]:
        """Return device, inode, and whether it is mounted read-only, of each open directory."""
        answer, _ = await self._ask(self._process, mount, {"do": "describe"}, *fds)
        return [(one[0], one[1], one[2]) for one in answer["seen"]]

    async def _ask(
        self, process: AccountProcess, mount: Mount, request: dict[str, Any], *fds: int
    ) -> tuple[dict[str, Any], list[int]]:
        """Return the answer of a process; give it up when that takes too long.

        Raises:
            StorageProblem: about this mount.
        """
        if _left_behind.refuses(mount):
            raise _problem(mount, "still has not responded to an earlier launch", ErrorKind.STORAGE_TIMEOUT)
        try:
            answer, opened = await process.ask(request, fds, self._timeout_s)
        except TimeoutError:
            why = f"did not respond within {self._timeout_s:g} seconds"
            raise _problem(mount, why, ErrorKind.STORAGE_TIMEOUT) from None
        except OSError as error:
            _log.error("no process can open directories: %s", error)
            raise _problem(mount, "cannot be opened", ErrorKind.STORAGE) from error
        finally:
            if process.is_killed:
                _left_behind.add(mount, process.take_pidfd())
        if "kind" in answer:
            raise self._refusal(process, mount, answer)
        return answer, opened

    def _refusal(self, process: AccountProcess, mount: Mount, answer: dict[str, Any]) -> StorageProblem:
        who = "your account" if self._is_account and process is self._process else "the portal"
        kind = ErrorKind(answer["kind"])
        error = _NeedsRoot if answer["may_root"] else StorageProblem
        return _problem(mount, answer["words"].format(who=who), kind, error)


async def pin(
    mounts: Sequence[Mount], account: Account | None = None, *, timeout_s: float = TIMEOUT_S
) -> tuple[Pinned, ...]:
    """Open the directories of a launch as an account (see `AccountStorage.pin`), or as the hub's own user."""
    async with AccountStorage(account, timeout_s=timeout_s) as storage:
        return await storage.pin(mounts)


def _home_of(pinned: Sequence[Pinned]) -> Pinned | None:
    return next((one for one in pinned if one.mount.target == "."), None)


def _wanted(mount: Mount) -> dict[str, Any]:
    return asdict(
        Wanted(
            str(mount.root),
            str(mount.source),
            mount.writable,
            mount.create,
            mount.owner,
            mount.mode,
            mount.pattern,
            MAX_LOOKED_AT,
        )
    )


def _not_created(mount: Mount) -> StorageProblem:
    """Return who must create a directory, and for the log with which command."""
    found = _problem(
        mount, "does not exist, and neither your account nor the portal may create it", ErrorKind.NOT_CREATED
    )
    found.remedy = "Please ask the administrators to create it."
    uid, gid = mount.owner
    owner = [*(["-o", str(uid)] if uid >= 0 else []), *(["-g", str(gid)] if gid >= 0 else [])]
    command = shlex.join(["install", "-d", *owner, "-m", f"{mount.mode:o}", str(mount.source)])
    found.add_note(f"as root on the file server: {command}")
    return found


def _problem(mount: Mount, why: str, kind: ErrorKind, error: type[StorageProblem] = StorageProblem) -> StorageProblem:
    # the path is for the log; the user knows the directory by its name in the session
    home = mount.target == "."
    if kind is ErrorKind.STORAGE_TIMEOUT:
        what = f"The storage behind {'your home directory' if home else f'~/{mount.target}'}"
    else:
        what = "Your home directory" if home else f"The directory ~/{mount.target}"
    if kind is ErrorKind.DIRECTORY_MISSING:
        error = _Missing
    remedy = "Please try again later, or contact the administrators."
    if kind is ErrorKind.NO_ROOM:
        remedy = "Delete something in it, for instance in a terminal without a proposal, then launch again."
    problem = error(f"{what} {why}.", remedy=remedy, kind=kind)
    problem.is_about_home = home
    problem.add_note(f"source: {mount.source}")
    return problem
