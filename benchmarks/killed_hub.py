"""A hub with 200 sessions is killed and started again: with its backend up, away, and with a fifth of them silent.

    python -m benchmarks.killed_hub

Counted are the sessions that the hub does not have any more, those that the backend does not have any more, and the
seconds until the API and the pages of the new hub answer.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.places import kill

from .light_hub import LightHub, light_hub
from .light_sessions import SILENT_ONE_IN, is_silent
from .machine import goal_max, progress, section, table

SESSIONS, ROUNDS = 200, 1
WANTED_S = 15.0
#: Seconds that the situation lasts after the start, and until everything must be there again after it: a hub waits
#: `http_timeout` for a session that does not answer.
LASTS_S, AGAIN_S = 20.0, 120.0
UP, AWAY, SILENT = "up", "away, back after the start", "up, a fifth of the sessions silent"


@dataclass(frozen=True)
class Kill:
    """What became of one kill of the hub."""

    back_s: float
    lost_by_hub: int
    lost_by_backend: int
    pages: int
    load: float


@contextmanager
def situation(hub: LightHub, name: str) -> Iterator[None]:
    """Let the backend be away, or a fifth of the sessions be silent, until the end of the block."""
    if name == AWAY:
        # it accepts connections, and does not answer
        os.kill(hub.backend.pid, signal.SIGSTOP)
    if name == SILENT:
        hub.silence(True)
    try:
        yield
    finally:
        if name == AWAY:
            os.kill(hub.backend.pid, signal.SIGCONT)
        if name == SILENT:
            hub.silence(False)


def kill_once(hub: LightHub, name: str, sessions: set[str]) -> Kill:
    """Kill the hub, start it again, wait, and count."""
    with situation(hub, name):
        kill(hub.portal)
        back_s = hub.start_again()
        time.sleep(LASTS_S)
    until = time.monotonic() + AGAIN_S
    while (lost := sessions - hub.known()) and time.monotonic() < until:
        time.sleep(1)
    opened = sorted(one for one in sessions if not is_silent(one))
    with ThreadPoolExecutor(10) as pool:
        pages = sum(status == 200 for status in pool.map(hub.status_of, opened))
    done = Kill(back_s, len(lost), len(sessions - hub.running()), len(opened) - pages, os.getloadavg()[0])
    progress(f"{name}: {done}")
    return done


def report(kills: dict[str, list[Kill]], sessions: int) -> None:
    """Print the section."""
    rows: list[list[object]] = [
        [
            name, len(done), max(one.back_s for one in done), sum(one.lost_by_hub for one in done),
            sum(one.lost_by_backend for one in done), sum(one.pages for one in done), max(one.load for one in done),
        ]
        for name, done in kills.items()
    ]  # fmt: skip
    everything = [one for done in kills.values() for one in done]
    section(
        f"kill -9 of a hub with {sessions} sessions",
        "make bench-kill",
        f"The hub is killed and started again at once, and the situation lasts {LASTS_S:g} s more. Silent are one in"
        f" {SILENT_ONE_IN}; pages are those of all others, through the proxy.",
        table(
            ["backend", "kills", "API back s, at most", "lost by the hub", "lost by the backend", "pages that fail",
             "load"],
            rows,
        ),
        "\n".join(
            [
                goal_max("seconds until the API is back", max(one.back_s for one in everything), WANTED_S),
                goal_max("sessions lost", sum(one.lost_by_hub + one.lost_by_backend for one in everything), 0),
                goal_max("pages that fail", sum(one.pages for one in everything), 0),
            ]
        ),
    )  # fmt: skip


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    kills: dict[str, list[Kill]] = {UP: [], AWAY: [], SILENT: []}
    with light_hub(options.sessions) as hub:
        hub.start_sessions(options.sessions)
        sessions = hub.known()
        progress(f"{len(sessions)} sessions")
        if len(sessions) != options.sessions:
            raise RuntimeError(f"only {len(sessions)} started")
        for _ in range(options.rounds):
            for name, done in kills.items():
                done.append(kill_once(hub, name, sessions))
    report(kills, options.sessions)


if __name__ == "__main__":
    main()
