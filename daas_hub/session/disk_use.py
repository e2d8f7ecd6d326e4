"""The space that this session's directories have: measured here, where a quota, a size or a volume shows as it is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from daas_hub.disk_space import HOME, NAMES, Space

#: Files and directories that are looked at, of a directory whose limit its file system does not have.
MAX_ENTRIES = 20_000
#: Seconds to wait for a file system that does not respond.
TIMEOUT_S = 5.0


def space_of(name: str, path: Path, limit: int = 0) -> Space | None:
    """Return the space of a directory; None if it cannot be found out.

    Args:
        limit: the most that it may hold, in bytes, where that is not the size of its file system; 0 if it is.
    """
    try:
        status = os.statvfs(path)
    except OSError:
        return None
    free, size = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
    if limit:
        used = bytes_below(path)
        if used is None:
            return None
        # the file system may have less than the limit
        free, size = min(free, max(0, limit - used)), limit
    return Space(name, min(free, size), size) if size else None


def bytes_below(path: Path) -> int | None:
    """Return the size of all files below a directory; None if there are too many to look at."""
    total, seen, folders = 0, 0, [os.fspath(path)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if seen > MAX_ENTRIES:
                        return None
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            # it went meanwhile, or a program has closed it to others
            continue
    return total


class DiskUse:
    """The directories of this session that are almost full.

    Args:
        paths: those that are looked at, by their names for people.
        limits: the most that some of them may hold (see `space_of`).
    """

    def __init__(self, paths: Mapping[str, Path] | None = None, limits: Mapping[str, int] | None = None) -> None:
        self._paths = paths if paths is not None else {one: Path.home() if one == HOME else Path(one) for one in NAMES}
        self._limits = limits or {}
        self._looking: asyncio.Future[tuple[Space, ...]] | None = None
        #: As found by the last look.
        self.full: tuple[Space, ...] = ()

    async def look(self) -> None:
        """Measure. A file system that does not respond changes nothing, and is not asked again until it has."""
        if self._looking is not None and not self._looking.done():
            return
        loop = asyncio.get_running_loop()
        looking = self._looking = loop.create_future()

        def measure() -> None:
            spaces = (space_of(name, path, self._limits.get(name, 0)) for name, path in self._paths.items())
            found = tuple(one for one in spaces if one is not None and one.is_almost_full)
            # the session may have ended meanwhile
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(looking.set_result, found)

        # not a thread of the pool: the session's end would wait for it
        threading.Thread(target=measure, daemon=True).start()
        await asyncio.wait({looking}, timeout=TIMEOUT_S)
        if looking.done():
            self.full = looking.result()
