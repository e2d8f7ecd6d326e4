"""The directories of a session, mounted where the engine can reach them: on storage that squashes root, it cannot pass.

The engine walks a path as root, and what runs a container walks the home as root to find the directories in it. So the
hub mounts the open directories itself, the others inside the home, below a directory of its own, and the engine binds
that one. The mounts are there from the create call until the container runs, and are not needed afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import ClassVar
from urllib.parse import urlsplit

from daas_hub.errors import StorageProblem
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.docker.address import Address
from daas_hub.spawners.guest_layout import folder_of_several, mount_points, outside_home
from daas_hub.storage import AccountStorage, Pinned

#: Seconds to learn which program listens at the engine's socket.
CONNECT_TIMEOUT_S = 2.0

#: How the directories of the doctor's trials begin.
TRIAL = "trial-"
#: Seconds after which the doctor that made one has ended.
TRIAL_LASTS_S = 3600.0

_log = logging.getLogger("jupyterhub.daas")
_Keep = Callable[[list[int]], list[int]]


class PlacedMounts:
    """The mounts of one session, below a directory of its own, which is never removed with what is in it.

    Args:
        base: the directory; the engine sees it at the same path.
        engine: the engine, which may have a mount namespace of its own.
    """

    #: Directories that this process uses now.
    _in_use: ClassVar[set[Path]] = set()

    def __init__(self, base: Path, engine: Address) -> None:
        self._base = base
        self._engine = engine

    @classmethod
    async def remove_unused(cls, folder: Path, engine: Address) -> None:
        """Unmount what a killed hub or doctor left below this folder; what cannot be unmounted is logged."""
        for base in _folders_in(folder):
            if base in cls._in_use or (base.name.startswith(TRIAL) and _age_s(base) < TRIAL_LASTS_S):
                continue
            try:
                await cls(base, engine).remove()
            except (OSError, StorageProblem) as problem:
                _log.error("%s cannot be unmounted now: %s", base, problem)

    async def place(
        self, plan: Plan, pinned: Sequence[Pinned], storage: AccountStorage, empty: Path
    ) -> Mapping[str, Path]:
        """Return where the engine finds the directories, by target or real path; nothing if it can use their own paths.

        Args:
            empty: the folder with a folder for each of several directories of data.

        Raises:
            StorageProblem: the engine cannot reach them, and the hub cannot mount them for it.
        """
        if not pinned or self._engine.is_remote or await storage.root_can_reach(pinned, mount_points(plan)):
            return {}
        await self.remove()
        self._in_use.add(self._base)
        try:
            _make_closed(self._base.parent)
            _make_closed(self._base)
            with contextlib.ExitStack() as undo:

                def keep(fds: list[int]) -> list[int]:
                    for fd in fds:
                        undo.callback(os.close, fd)
                    return fds

                # once more: some file systems forget what root was refused, and nothing is mounted from it then
                again = await storage.pin([replace(one.mount, create=False) for one in pinned])
                keep([one.fd for one in again])
                if [one.identity for one in again] != [one.identity for one in pinned]:
                    raise StorageProblem("A directory changed while your session was starting.")
                (namespace,) = keep([await asyncio.to_thread(_mount_namespace, self._engine)])
                return await self._mount_all(plan, again, storage, namespace, empty, keep=keep)
        except BaseException as error:
            await self.remove()
            if isinstance(error, OSError | StorageProblem):
                raise _not_mounted(error) from error
            raise

    async def _mount_all(
        self,
        plan: Plan,
        pinned: Sequence[Pinned],
        storage: AccountStorage,
        namespace: int,
        empty: Path,
        *,
        keep: _Keep,
    ) -> Mapping[str, Path]:
        """Mount each directory by itself, or in the home if there is one; and each real path by itself."""
        some = pinned[0].mount
        (holder,) = keep([os.open(empty, os.O_PATH | os.O_DIRECTORY)])
        opened = {one.mount: one.fd for one in pinned}
        wanted = [(one.mount.target, one.mount) for one in pinned]
        outside = [(path, mount) for mount, path in outside_home(plan.opened(opened))]
        read_only = [*(not mount.writable for _, mount in (*wanted, *outside)), True]
        fds = [opened[mount] for _, mount in (*wanted, *outside)]
        request = {"do": "clone", "read_only": read_only}
        *copies, held = keep(await storage.mount_as_root(some, request, *fds, holder))
        names = [name for name, _ in (*wanted, *outside)]
        everything = dict(zip(names, copies, strict=True))
        trees = {name: everything[name] for name, _ in wanted}
        # copies are attached nowhere yet, and may be in any namespace
        await storage.mount_as_root(some, {"do": "enter"}, namespace)
        placed: dict[str, Path] = {}
        # one path below another is mounted in it, as directories are in the home
        outer_of = {path: _outer_of(path, [one for one, _ in outside]) for path, _ in outside}
        own = [*(["."] if "." in trees else trees), *(path for path, outer in outer_of.items() if not outer)]
        for index, name in enumerate(own):
            placed[name] = self._base / str(index)
            placed[name].mkdir(mode=0o700)
            await storage.mount_as_root(some, {"do": "attach", "path": str(placed[name])}, everything[name])
        for path, outer in outer_of.items():
            if outer:
                inside = {path.removeprefix(f"{outer}/"): everything[path]}
                await _mount_in(storage, some, everything[outer], inside, keep)
        if "." in trees:
            folder = folder_of_several(plan)
            several = {name: tree for name, tree in trees.items() if "/" in name}
            if several:
                trees = {name: tree for name, tree in trees.items() if name not in several} | {folder: held}
            await _mount_in(storage, some, trees.pop("."), trees, keep)
            inner = {name.removeprefix(f"{folder}/"): tree for name, tree in several.items()}
            await _mount_in(storage, some, held, inner, keep)
        return placed

    async def remove(self) -> None:
        """Unmount all of it, also what an earlier hub left there; containers keep theirs."""
        self._in_use.discard(self._base)
        if not self._base.exists():
            return
        places = sorted(self._base.iterdir())
        here = Mount(PurePosixPath(self._base.parent), PurePosixPath(self._base), ".")
        async with AccountStorage() as storage:
            request = {"do": "detach", "paths": [str(place) for place in places]}
            try:
                namespace = await asyncio.to_thread(_mount_namespace, self._engine)
                try:
                    await storage.mount_as_root(here, {"do": "enter"}, namespace)
                finally:
                    os.close(namespace)
            except (OSError, StorageProblem) as problem:
                _log.warning("the engine's mounts cannot be reached, only the hub's own: %s", problem)
            await storage.mount_as_root(here, request)
        for folder in (*places, self._base):
            # empty directories of ours; a mount that is still there is busy
            try:
                folder.rmdir()
            except OSError as problem:
                _log.error("%s is still mounted: %s", folder, problem)


def _outer_of(path: str, paths: Sequence[str]) -> str:
    """Return the longest of these paths that is above another one; "" for none."""
    return max((one for one in paths if path.startswith(f"{one}/")), key=len, default="")


def _age_s(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:
        return 0.0


def _make_closed(folder: Path) -> None:
    """Make a folder that nobody but root passes: what is mounted below it has lost the protection of its parents."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


async def _mount_in(storage: AccountStorage, mount: Mount, parent: int, trees: Mapping[str, int], keep: _Keep) -> None:
    """Mount trees on directories of another mounted tree, which are looked up as the account."""
    targets = keep(await storage.open_inside(parent, list(trees), mount))
    for tree, target in zip(trees.values(), targets, strict=True):
        await storage.mount_as_root(mount, {"do": "attach"}, tree, target)


def _mount_namespace(engine: Address) -> int:
    """Return the open mount namespace of the program that listens at the engine's socket.

    Raises:
        OSError: it cannot be known: the program is in another container, as a broker is.
    """
    with socket.socket(socket.AF_UNIX) as near:
        near.settimeout(CONNECT_TIMEOUT_S)
        near.connect(urlsplit(engine.url).path)
        credentials = near.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, _, _ = struct.unpack("3i", credentials)
    return os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)


def _not_mounted(error: Exception) -> StorageProblem:
    problem = StorageProblem(
        "The storage does not let the machine that runs the sessions mount your directories.",
        remedy="Please tell the administrators: root may not enter them there.",
    )
    problem.add_note(f"{error} {' '.join(getattr(error, '__notes__', []))}")
    return problem
