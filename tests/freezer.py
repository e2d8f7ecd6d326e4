"""Processes that nobody can end: in a frozen control group of version 1, SIGKILL waits until it is thawed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup/freezer")


class Freezer:
    """A frozen control group.

    Args:
        folder: of the group.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def freeze(self, pids: Iterable[int]) -> None:
        """Freeze processes; the later children of a frozen process do not exist."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (self._folder / "cgroup.procs").write_text(str(pid))

    def thaw(self) -> None:
        """Let them run, or end."""
        (self._folder / "freezer.state").write_text("THAWED")


@contextlib.contextmanager
def freezer() -> Iterator[Freezer | None]:
    """Make such a group, and remove it; None where the machine has none (version 2 kills frozen processes)."""
    folder = ROOT / f"daas-frozen-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "freezer.state").write_text("FROZEN")
    except OSError:
        yield None
        return
    found = Freezer(folder)
    try:
        yield found
    finally:
        found.thaw()
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove the group, which has processes until they have ended."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.1)
