"""Home pages of others while one session, and ten, do their worst to the hub's API.

    python -m benchmarks.abuse

The abusive program is the one of the tests (tests/sandbox/abuse.py), in real sandboxes: half-sent headers, bodies that
never come, wrong tokens, a flood with a good token, malformed requests.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.live_portal import Person, Portal, new_state, remove, start_portal

from .machine import goal_max, percentile, progress, section, spread, spread_head, table
from .processes import pss_mib

ROOT = Path(__file__).resolve().parent.parent
WAYS = ("headers", "bodies", "tokens", "flood", "log")
SESSIONS = (1, 10)
WANTED_RATIO, WANTED_MIB, WANTED_LOG_MB = 2.0, 50.0, 1.0

#: Each way is an application, whose program finds a token of its owner's in the home.
APPLICATION = """\
name: {way}
title: Abuse by {way}
kind: desktop
command: [sh, -c, 'exec python3 $HOME/abuse.py {way} $(cat $HOME/token)']
"""


@contextmanager
def portal() -> Iterator[Portal]:
    """Run a portal with an application for each way."""
    state = new_state()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        for way in WAYS:
            (Path(folder) / f"{way}.yaml").write_text(APPLICATION.format(way=way))
        running = start_portal(Path(folder), state=state, more_config="c.Facility.sessions_per_person = 10\n")
        try:
            yield running
        finally:
            running.stop()
            remove(running)


def arm(abuser: Person) -> None:
    """Put the program and a token into the abuser's home, which an earlier session has made."""
    home = abuser.portal.state / "homes" / "anna"
    answer = abuser.api("POST", f"users/{abuser.name}/tokens", {"expires_in": 3600})
    (home / "token").write_text(answer.json()["token"])
    (home / "abuse.py").write_text((ROOT / "tests" / "sandbox" / "abuse.py").read_text())
    for name in ("token", "abuse.py"):
        (home / name).chmod(0o644)


def pages(person: Person, count: int) -> list[float]:
    """Open the home page; give milliseconds each."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        answer = person.session.get(f"{person.portal.url}/hub/home", timeout=120)
        took.append((time.perf_counter() - begun) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"home: {answer.status_code}")
        time.sleep(0.02)
    return took


def run(running: Portal, abuser: Person, person: Person, way: str, sessions: int, count: int) -> list[float]:
    """Measure one way with some sessions; give both spreads, the ratio of the p95, MiB and MB of log."""
    started = running.state / "homes" / "anna" / "abuse.started"
    quiet = pages(person, count)
    memory, log = pss_mib(running.process.pid), running.log.stat().st_size
    names = []
    for _ in range(sessions):
        started.unlink(missing_ok=True)
        names.append(abuser.launch(way, proposal="MA-4242", visit="2"))
        while not started.exists():
            time.sleep(0.1)
    took = pages(person, count)
    grown, logged = pss_mib(running.process.pid) - memory, (running.log.stat().st_size - log) / 1e6
    for name in names:
        if abuser.stop(name).status_code != 303:
            raise RuntimeError(f"{name} cannot be stopped")
    return [
        *spread(quiet),
        *spread(took),
        percentile(took, 0.95) / percentile(quiet, 0.95),
        grown,
        logged,
    ]


def report(rows: Sequence[tuple[str, int, list[float]]]) -> None:
    """Print the section of the report."""
    ratio, memory, log = (max(figures[place] for _, _, figures in rows) for place in (6, 7, 8))
    head = ["way", "sessions", *spread_head("quiet ms"), *spread_head("ms"), "ratio", "the hub grew MiB", "log MB"]
    section(
        "Sessions that do their worst to the hub",
        "python -m benchmarks.abuse",
        "Home pages of somebody else, one at a time, without such sessions and with one and ten of them.",
        table(head, [[way, sessions, *figures] for way, sessions, figures in rows]),
        "\n".join(
            [
                goal_max("p95 of the home page to the quiet one, the worst", ratio, WANTED_RATIO),
                goal_max("MiB the hub grew by, the most", memory, WANTED_MIB),
                goal_max("MB of log, the most", log, WANTED_LOG_MB),
            ]
        ),
    )


def main() -> None:
    """Run it, and print the section of the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--sessions", type=int, nargs="*", default=SESSIONS)
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=WAYS)
    options = parser.parse_args()
    with portal() as running:
        abuser, person = running.login("anna"), running.login("ben")
        home = running.state / "homes" / "anna"
        if not home.exists():
            abuser.stop(abuser.launch(WAYS[-1], proposal="MA-4242", visit="2", wait=True))
        arm(abuser)
        rows = []
        for sessions in options.sessions:
            for way in options.ways:
                rows.append((way, sessions, run(running, abuser, person, way, sessions, options.pages)))
                progress(f"{way}, {sessions}: {rows[-1][2]}")
    report(rows)


if __name__ == "__main__":
    main()
