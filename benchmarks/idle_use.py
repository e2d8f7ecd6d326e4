"""What applications use while nobody works with them: `python -m benchmarks.idle_use`.

Each application of the demo runs in a session of a real portal, with its page open in Chromium, and closed. The
processor time is that of all processes of its sandbox, as the session itself measures it.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS
from tests.live_portal import Person, Portal, new_state, remove, start_portal

from .machine import section, spread, spread_head, table

APPLICATIONS = ("terminal", "desktop", "pymca", "jupyterlab", "python")
#: Seconds for a program to finish its own start.
SETTLE_S = 20.0


def processes_of(server: str) -> set[int]:
    """Return the processes of a session's sandbox."""
    name = f"JUPYTERHUB_SERVER_NAME={server}".encode()
    spaces: dict[int, str] = {}
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            spaces[int(entry.name)] = os.readlink(entry / "ns" / "pid")
            if name in (entry / "environ").read_bytes().split(b"\0"):
                found.add(int(entry.name))
    inside = {spaces[pid] for pid in found} - {os.readlink("/proc/self/ns/pid")}
    return {pid for pid, space in spaces.items() if space in inside}


def processor_seconds(pids: set[int]) -> float:
    """Return the processor time of these processes and their ended children."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            ticks += sum(int(one) for one in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def windows(server: str, count: int, seconds: float) -> list[float]:
    """Return the processors in use, averaged over each of some windows."""
    found = []
    for _ in range(count):
        before, began = processor_seconds(processes_of(server)), time.monotonic()
        time.sleep(seconds)
        found.append((processor_seconds(processes_of(server)) - before) / (time.monotonic() - began))
    return found


def measure(portal: Portal, person: Person, application: str, count: int, seconds: float) -> list[object]:
    """Return a row of the table: with its page open, and closed."""
    server = person.launch(application)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        context.add_cookies(
            [
                {"name": one.name, "value": one.value or "", "domain": "127.0.0.1", "path": one.path}
                for one in person.session.cookies
            ]
        )
        context.new_page().goto(f"{portal.url}/user/{person.name}/{server}/")
        time.sleep(SETTLE_S)
        opened = windows(server, count, seconds)
        browser.close()
    time.sleep(5)
    closed = windows(server, count, seconds)
    person.stop(server)
    return [application, *spread(opened), *spread(closed)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("applications", nargs="*", default=APPLICATIONS)
    options = parser.parse_args()
    portal = start_portal(state=new_state())
    try:
        anna = portal.login("anna")
        rows = [measure(portal, anna, one, options.windows, options.seconds) for one in options.applications]
    finally:
        portal.stop()
        remove(portal)
    section(
        "Applications that nobody works with",
        "python -m benchmarks.idle_use",
        f"Processors in use by all processes of a session's sandbox, averaged over {options.windows} times"
        f" {options.seconds:g} s, {SETTLE_S:g} s after its page was opened, and after it was closed. The floor is"
        " `terminal`: X server, window manager, the session's server, and a program that waits for a key.",
        table(["application", *spread_head("page open"), *spread_head("page closed")], rows),
    )


if __name__ == "__main__":
    main()
