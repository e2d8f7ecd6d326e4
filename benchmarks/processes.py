"""What the kernel says about processes: who descends from whom, processor time, memory, and a clean end of them all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Process:
    """One process as it was when it was read."""

    pid: int
    parent: int
    name: str
    command: tuple[str, ...]
    #: In ticks since the machine's own start; process ids are used again.
    started: int

    @property
    def line(self) -> str:
        """The command line in one string."""
        return " ".join(self.command)


def read_process(pid: int) -> Process | None:
    """Process ``pid``; None when it is gone or dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    name, rest = stat[stat.index("(") + 1 :].rsplit(")", 1)
    fields = rest.split()
    if fields[0] in "ZX":
        return None
    command = tuple(raw.decode(errors="replace").rstrip("\0").split("\0"))
    return Process(pid, int(fields[1]), name, command, int(fields[19]))


def descendants(root: int) -> list[Process]:
    """The living processes below ``root``, parents first."""
    children: dict[int, list[Process]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (process := read_process(int(entry))):
            children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += [process.pid for process in below]
    return found


def find_xvnc(root: int) -> Process | None:
    """The newest Xvnc server below ``root``."""
    servers = [process for process in descendants(root) if process.name in ("Xvnc", "Xtigervnc")]
    return max(servers, key=lambda process: process.started, default=None)


def session_of(xvnc: Process, hub: int) -> list[Process]:
    """Every process of the session ``xvnc`` belongs to: all that lies below the child of ``hub`` that holds it."""
    below = {process.pid: process for process in descendants(hub)}
    top = xvnc
    while top.parent in below:
        top = below[top.parent]
    return [top, *descendants(top.pid)]


def cpu_seconds(pid: int) -> float:
    """The processor time ``pid`` has used, its own and the kernel's on its behalf; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def pss_mib(pid: int) -> float:
    """The proportional share of memory of ``pid``; 0 when it is gone."""
    return _mapped_mib(pid, "Pss:")


def anonymous_mib(pid: int) -> float:
    """What ``pid`` has allocated: without the files that it maps, whose share depends on who else maps them."""
    return _mapped_mib(pid, "Anonymous:")


def _mapped_mib(pid: int, field: str) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(field)) / 1024


def listener(port: int) -> int | None:
    """The process that listens on ``port`` of the loopback interface."""
    wanted = f":{port:04X}"
    inodes = set()
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = row.split()
        if fields[1].endswith(wanted) and fields[3] == "0A":
            inodes.add(f"socket:[{fields[9]}]")
    for entry in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            if any(os.readlink(fd) in inodes for fd in entry.iterdir()):
                return int(entry.parent.name)
    return None


@contextlib.contextmanager
def nothing_left_behind() -> Iterator[None]:
    """End every process that was started inside, also those that left their parents, and also on a signal."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        end_all(descendants(os.getpid()))


def end_all(processes: list[Process], patience_s: float = 5) -> None:
    """Ask ``processes`` to end, then make them; collect those that are our own children."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, kind)
        deadline = time.monotonic() + patience_s
        while any(read_process(process.pid) for process in processes):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            break
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
