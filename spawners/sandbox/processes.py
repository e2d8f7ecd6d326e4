"""A process that is not confused with a later one of the same pid, and its descendants."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ProcessId:
    """A pid, its start time (clock ticks since boot), and the boot id. Pid 0 means no process."""

    pid: int
    started: float
    boot: str

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Return the id of a running process."""
        return cls(pid, _started(pid) or 0.0, _boot())

    @classmethod
    def from_state(cls, state: Any) -> ProcessId:
        """Return what `as_state` stored; no process for anything else."""
        if not isinstance(state, dict):
            return cls(0, 0.0, "")
        pid, started, boot = state.get("pid"), state.get("started"), state.get("boot")
        if type(pid) is not int or not isinstance(started, int | float) or not isinstance(boot, str):
            return cls(0, 0.0, "")
        return cls(pid, float(started), boot)

    def as_state(self) -> dict[str, Any]:
        """Return the form that the hub stores."""
        return {"pid": self.pid, "started": self.started, "boot": self.boot}

    def is_running(self) -> bool:
        """Return whether this process, and not a later one of the same pid, runs (a zombie does not).

        Raises:
            OSError: /proc cannot be read (no descriptor is left): the answer is unknown.
        """
        return self.pid > 1 and self.boot == _boot() and _started(self.pid) == self.started

    async def gone_within(self, seconds: float) -> bool:
        """Wait up to `seconds` for the process to end; return whether it has."""
        until = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(0.02)
        return True

    def kill(self) -> None:
        """Kill the process."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def descendants(pid: int, *, generations: int) -> list[int]:
    """Return the descendants of a process, down to this number of generations."""
    found: list[int] = []
    parents = [pid]
    for _ in range(generations):
        children: list[int] = []
        for parent in parents:
            with contextlib.suppress(OSError):
                children += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
        found += children
        parents = children
    return found


def marked_processes(sessions: Path) -> dict[str, list[ProcessId]]:
    """Return the processes of sandboxes whose folders are below `sessions`, by the folder's name.

    Bubblewrap's arguments name the folder, from its first instant until the sandbox ends; everybody can read them, and
    neither a lost database nor a removed folder changes them. A program with the same arguments can only get itself
    ended.
    """
    marker = re.compile(rb"\0--ro-bind\0" + re.escape(os.fsencode(sessions)) + rb"/([0-9a-f]{20})/identity/passwd\0")
    found: dict[str, list[ProcessId]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            process = ProcessId.of(int(entry.name))
            match = marker.search((entry / "cmdline").read_bytes())
            if match and process.is_running():
                found.setdefault(match[1].decode(), []).append(process)
    return found


def read_child_pid(fd: int) -> int:
    """Return the pid of the sandbox's first process, from bubblewrap's --info-fd.

    Raises:
        ValueError: bubblewrap reported none.
    """
    report = b""
    while b"}" not in report:
        more = os.read(fd, 4096)
        if not more:
            break
        report += more
    try:
        return int(json.loads(report)["child-pid"])
    except (KeyError, TypeError) as error:
        raise ValueError("bubblewrap reported no child-pid") from error


def _started(pid: int) -> float | None:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if after_name[0] in "ZX" else float(after_name[19])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
