"""What a desktop session costs in memory beyond its X server, window manager and application."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from .machine import at_most, median, section, table
from .opened import WINDOW_MANAGER, OpenedSession, open_session
from .processes import Process, nothing_left_behind, pss_mib
from .rfb import NOVNC_TIGHT, RfbClient
from .windows import has_window

WANTED_MIB = 60
READINGS = 5


def measure(session: OpenedSession, title: str) -> dict[Process, float]:
    """Read every process's share while a client watches the screen: the median of a few readings, in MiB."""
    deadline = time.monotonic() + 120
    while not has_window(session.xvnc.pid, title):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no window with {title!r} in its title")
        time.sleep(0.1)
    client = RfbClient(session.through_the_portal())
    client.set_encodings(NOVNC_TIGHT)
    client.request(incremental=False)
    client.read_update()
    time.sleep(3)
    processes = session.processes()
    readings: dict[Process, list[float]] = {process: [] for process in processes}
    for _ in range(READINGS):
        for process in processes:
            readings[process].append(pss_mib(process.pid))
        time.sleep(0.5)
    client.close()
    return {process: median(values) for process, values in readings.items()}


def report(session: OpenedSession, application: str, memory: dict[Process, float]) -> None:
    """Print the section: each process with what it is there for, the sum of our own, the verdict."""
    own = {process.pid for process in session.own_processes()}

    def role(process: Process) -> str:
        if process.pid in own:
            return "the session's own"
        if process.pid == session.xvnc.pid:
            return "X server"
        return "window manager" if process.name == WINDOW_MANAGER else "application"

    rows: list[list[object]] = [[f"`{process.name}`", role(process), pss] for process, pss in memory.items()]
    total = sum(pss for process, pss in memory.items() if process.pid in own)
    section(
        "Memory: a desktop session",
        "make bench-memory",
        f"Proportional share (PSS) with `{application}` open and one client connected; median of {READINGS} readings.",
        table(["process", "role", "PSS MiB"], [*rows, ["**own processes together**", "", total]]),
        at_most("MiB of the session's own processes", total, WANTED_MIB),
    )


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="pymca", help="the application's name in our catalogue")
    parser.add_argument("--title", default="PyMca", help="what its window's title contains")
    parser.add_argument("--proposal", help="the proposal to launch on (the first one listed)")
    options = parser.parse_args()
    os.environ.pop("DISPLAY", None)
    with nothing_left_behind(), tempfile.TemporaryDirectory(prefix="daas-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with open_session(Path(folder) / "ours", options.name, options.proposal) as session:
            report(session, options.name, measure(session, options.title))


if __name__ == "__main__":
    main()
