"""What a desktop session costs in memory beyond its X server, window manager and application."""

from __future__ import annotations

import argparse
import time

from .browser import LAUNCH_TIMEOUT_S, Site
from .machine import goal_max, median, section, spread, spread_head, table
from .opened import WINDOW_MANAGER, OpenedSession, open_session
from .peer import Peer
from .portal import Portal, add_before
from .processes import Process, nothing_left_behind, pss_mib
from .rfb import NOVNC_TIGHT, RfbClient
from .service import state_folder
from .windows import has_window

WANTED_MIB = 60
READINGS = 5


def measure(session: OpenedSession, title: str) -> dict[Process, list[float]]:
    """Read every process's share while a client watches the screen, a few times, in MiB."""
    deadline = time.monotonic() + LAUNCH_TIMEOUT_S
    while not has_window(session.xvnc.pid, title):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no window with {title!r} in its title")
        time.sleep(0.1)
    client = RfbClient(session.through_the_hub())
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
    return readings


def describe(
    label: str, session: OpenedSession, memory: dict[Process, list[float]]
) -> tuple[list[list[object]], float]:
    """The rows of one session, each process with what it is there for, and the median of the session's own.

    The floor is what a desktop needs without any of us: X server, window manager and application.
    """
    own = {process.pid for process in session.own_processes()}

    def role(process: Process) -> str:
        if process.pid in own:
            return "the session's own"
        if process.pid == session.xvnc.pid:
            return "X server"
        return "window manager" if process.name == WINDOW_MANAGER else "application"

    rows: list[list[object]] = [
        [label, f"`{process.name}`", role(process), *spread(values)] for process, values in memory.items()
    ]
    ours = _together([values for process, values in memory.items() if process.pid in own])
    floor = _together([values for process, values in memory.items() if process.pid not in own])
    rows += [
        [label, "**together**", "**the session's own**", *spread(ours)],
        [label, "**together**", "**the others, which are the floor**", *spread(floor)],
    ]
    return rows, median(ours)


def _together(readings: list[list[float]]) -> list[float]:
    return [sum(values) for values in zip(*readings, strict=True)]


def main() -> None:
    """Read the command line, measure one system after the other, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="pymca", help="the application's name in our catalogue")
    parser.add_argument("--command", default="pymca", help="the command that starts the same application")
    parser.add_argument("--title", default="PyMca", help="what its window's title contains")
    parser.add_argument("--proposal", help="the proposal to launch on (the first one listed)")
    parser.add_argument("--no-peer", action="store_true", help="leave the stock peer out")
    add_before(parser)
    options = parser.parse_args()
    rows: list[list[object]] = []
    totals = {}
    with nothing_left_behind(), state_folder() as state:
        sites: dict[str, Site] = {"ours": Portal(state / "ours", options.name, proposal=options.proposal)}
        if options.before:
            older = Portal(state / "before", options.name, proposal=options.proposal, checkout=options.before)
            sites["ours, before"] = older
        if not options.no_peer:
            sites["stock peer"] = Peer(state / "peer", options.command)
        for label, site in sites.items():
            with open_session(site) as session:
                more, totals[label] = describe(label, session, measure(session, options.title))
                rows += more
    section(
        "Memory: a desktop session",
        "make bench-memory",
        f"Proportional share (PSS) with `{options.name}` open and one client connected, next to the hub; "
        f"{READINGS} readings; one system after the other.",
        table(["system", "process", "role", *spread_head("PSS MiB")], rows),
        goal_max("MiB of our session's own processes", totals["ours"], WANTED_MIB),
    )


if __name__ == "__main__":
    main()
