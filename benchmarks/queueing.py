"""A thousand people press within ten seconds on a portal with fifty places, and its hub is killed three times.

    python -m benchmarks.queueing

Sessions are of a backend that starts nothing: one server answers for all of them. Everybody signs in through a web
server in front. Nobody may see an error or a 429, lose a place in line, or be started twice; who starts is compared
with the order of the tickets.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import web

from tests.live_portal import Person, plain_text, remove
from tests.places import kill, kill_rest
from tests.queue_portal import QueuePortal
from tests.waiting import wait_for

from .machine import goal_max, section, spread, spread_head, table

PEOPLE, PLACES, WITHIN_S, KILLS = 1000, 50, 10.0, 3

BACKEND = """
import os

from jupyterhub.spawner import Spawner
from daas_hub.spawners.base import ProposalSessionMixin

class NoSession(ProposalSessionMixin, Spawner):
    runs = False

    async def start_session(self, plan):
        self.runs = True
        with open({starts!r}, "a") as file:
            file.write(plan.account.name + "\\n")
        return {url!r}

    async def poll(self):
        return None if self.runs else 0

    async def stop(self, now=False):
        self.runs = False

    def get_state(self):
        return super().get_state() | ({{"runs": True}} if self.runs else {{}})

    def load_state(self, state):
        super().load_state(state)
        self.runs = state.get("runs") is True

c.JupyterHub.spawner_class = NoSession
c.Queue.person_minutes = c.Queue.proposal_minutes = 0.0
"""


@contextlib.contextmanager
def sessions() -> Iterator[str]:
    """Run the server that answers for all sessions; give its URL."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    address = ""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"version": "6"}, headers={"X-JupyterHub-Version": "6.1.1"})

    async def serve() -> None:
        nonlocal address
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    ready.wait(10)
    yield address
    loop.call_soon_threadsafe(loop.stop)


def press(person: Person, token: str, at: float) -> tuple[int, float, str]:
    """Launch at a moment; give the status, the milliseconds and the words of the answer."""
    time.sleep(max(0.0, at - time.monotonic()))
    fields = {"_xsrf": token, "application": "terminal", "session_name": "one"}
    begun = time.perf_counter()
    answer = person.session.post(f"{person.portal.url}/hub/launch", data=fields, allow_redirects=False, timeout=300)
    return answer.status_code, (time.perf_counter() - begun) * 1000, plain_text(answer)[:200]


def rows(queue: QueuePortal, statement: str) -> list[tuple[object, ...]]:
    """Read the hub's database."""
    with contextlib.closing(sqlite3.connect(next(queue.portal.state.glob("**/*.sqlite")), timeout=30)) as database:
        return list(database.execute(statement))


def tickets(queue: QueuePortal) -> list[str]:
    """Return who waits, in the order of arrival."""
    return [str(user) for (user,) in rows(queue, "SELECT user FROM daas_tickets ORDER BY arrived, id")]


def main() -> None:
    """Run it, and print the section of the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--through", type=int, default=200, help="sessions that are stopped to let others in")
    options = parser.parse_args()
    names = [f"p{number:04}" for number in range(options.people)]
    with sessions() as url:
        starts_file = tempfile.mkstemp(prefix="daas-queueing-")[1]
        queue = QueuePortal(names, PLACES, BACKEND.format(url=url, starts=starts_file))
        try:
            measure(queue, names, options.through, starts_file)
        finally:
            queue.portal.stop()
            kill_rest(queue.portal)
            remove(queue.portal)
            Path(starts_file).unlink()


def measure(queue: QueuePortal, names: list[str], through: int, starts_file: str) -> None:
    """Let everybody press, kill the hub, let some through, and compare."""
    with ThreadPoolExecutor(8) as pool:
        people = list(pool.map(queue.sign_in, names))
        tokens = list(pool.map(lambda one: one.xsrf, people))
    begin = time.monotonic() + 2
    with ThreadPoolExecutor(len(names)) as pool:
        at = [begin + WITHIN_S * n / len(names) for n in range(len(names))]
        answers = list(pool.map(press, people, tokens, at))
    wait_for(lambda: len(tickets(queue)) == len(names) - PLACES, "everybody's ticket", 120)
    order = tickets(queue)
    back = []
    for _ in range(KILLS):
        kill(queue.portal)
        begun = time.monotonic()
        queue.start_again()
        back.append(time.monotonic() - begun)
        if tickets(queue) != order:
            raise RuntimeError("a place in line was lost")
    for person in people:
        person.portal = queue.portal
    expected = order[:through]
    while (left := len(order) - len(tickets(queue))) < through:
        running = rows(queue, "SELECT user FROM daas_usage WHERE ended IS NULL AND started IS NOT NULL")
        stop_some(people, {str(user) for (user,) in running}, min(10, through - left))
        time.sleep(1)
    calls = re.findall(r"queue: the turn of (\S+?):", queue.portal.log.read_text())
    with Path(starts_file).open() as file:
        started = Counter(file.read().split())
    twice = [name for name, count in started.items() if count > 1]
    statuses = Counter(status for status, _, _ in answers)
    took = [ms for _, ms, _ in answers]
    is_in_order = calls[:through] == expected
    section(
        f"{len(names):,} people press within {WITHIN_S:.0f} s on {PLACES} places",
        "make bench-queue",
        f"The hub is killed {KILLS} times while {len(order)} wait; then {through} sessions are stopped.",
        table(
            ["answers", *spread_head("ms"), "hub back s, at most", "starts", "twice", "in order"],
            [[str(dict(statuses)), *spread(took), max(back), sum(started.values()), len(twice),
              "yes" if is_in_order else "no"]],
        ),
        "\n".join(
            [
                goal_max("answers that are no page of the launch", len(answers) - statuses[303], 0),
                goal_max("launches that were started twice", len(twice), 0),
                goal_max("launches out of order", 0 if is_in_order else through, 0),
            ]
        ),
    )  # fmt: skip


def stop_some(people: list[Person], running: set[str], count: int) -> None:
    """Stop a few of the sessions that run, by their owners."""
    for person in people:
        if count < 1:
            return
        if not hasattr(person, "known"):
            person.known = person.name  # type: ignore[attr-defined]
        if person.known in running:  # type: ignore[attr-defined]
            person.stop("one")
            count -= 1


if __name__ == "__main__":
    main()
