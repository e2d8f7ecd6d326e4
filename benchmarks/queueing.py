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

from .machine import goal_max, goal_min, section, spread, spread_head, table

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


def arrive(queue: QueuePortal, name: str) -> tuple[Person, str]:
    """Sign somebody in; give them, and the token of their forms."""
    person = queue.sign_in(name)
    token = person.xsrf
    leave_idle(person)
    return person, token


def leave_idle(person: Person) -> None:
    """Close their connections, as the proxy does after five seconds: browsers send a request again that meets that."""
    person.session.close()


def press(person: Person, token: str, at: float) -> tuple[int, float, str]:
    """Launch at a moment; give the status, the milliseconds and the words of the answer."""
    time.sleep(max(0.0, at - time.monotonic()))
    fields = {"_xsrf": token, "application": "terminal", "session_name": "one"}
    begun = time.perf_counter()
    answer = person.session.post(f"{person.portal.url}/hub/launch", data=fields, allow_redirects=False, timeout=300)
    took_ms = (time.perf_counter() - begun) * 1000
    leave_idle(person)
    return answer.status_code, took_ms, plain_text(answer)[:200]


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
        arrived = list(pool.map(lambda name: arrive(queue, name), names))
    people = [person for person, _ in arrived]
    begin = time.monotonic() + 2
    with ThreadPoolExecutor(len(names)) as pool:
        at = [begin + WITHIN_S * n / len(names) for n in range(len(names))]
        answers = list(pool.map(press, people, [token for _, token in arrived], at))
    wait_for(lambda: len(tickets(queue)) == len(names) - PLACES, "everybody's ticket", 120)
    order = tickets(queue)
    back: list[float] = []
    while (passed := len(order) - len(tickets(queue))) < through:
        # the first time while nobody was let in yet, then as others take their turns
        if passed >= len(back) * through // KILLS:
            settle(queue)
            back.append(kill_hub(queue, people))
        stop_some(people, running(queue), min(10, through - passed))
        time.sleep(1)
    settle(queue)
    # the first ones had room, and no ticket
    admitted = [str(user) for (user,) in rows(queue, "SELECT user FROM daas_usage ORDER BY id")][PLACES:]
    with Path(starts_file).open() as file:
        started = Counter(file.read().split())
    twice = [name for name, count in started.items() if count > 1]
    statuses = Counter(status for status, _, _ in answers)
    took = [ms for _, ms, _ in answers]
    is_in_order = len(admitted) >= through and admitted == order[: len(admitted)]
    section(
        f"{len(names):,} people press within {WITHIN_S:.0f} s on {PLACES} places",
        "make bench-queue",
        f"The hub is killed {len(back)} times: while {len(order)} wait, and while {through} of them get the places of"
        " sessions that are stopped.",
        table(
            ["answers", *spread_head("ms"), "hub back s, at most", "starts", "twice", "in order"],
            [[str(dict(statuses)), *spread(took), max(back), sum(started.values()), len(twice),
              "yes" if is_in_order else "no"]],
        ),
        "\n".join(
            [
                goal_max("answers that are no page of the launch", len(answers) - statuses[303], 0),
                goal_max("launches that were started twice", len(twice), 0),
                goal_min("kills of the hub", len(back), KILLS),
                goal_max("launches out of order", 0 if is_in_order else through, 0),
            ]
        ),
    )  # fmt: skip


def running(queue: QueuePortal) -> set[str]:
    """Return who has a session that runs."""
    found = rows(queue, "SELECT user FROM daas_usage WHERE ended IS NULL AND started IS NOT NULL")
    return {str(user) for (user,) in found}


def settle(queue: QueuePortal) -> None:
    """Wait until every place is taken, and nothing starts."""
    wait_for(lambda: len(running(queue)) == PLACES, "every place taken", 120)


def kill_hub(queue: QueuePortal, people: list[Person]) -> float:
    """Kill the hub, start it again, and check that nobody lost their place; return the seconds until it is back."""
    before = tickets(queue)
    kill(queue.portal)
    begun = time.monotonic()
    queue.start_again()
    seconds = time.monotonic() - begun
    if tickets(queue) != before:
        raise RuntimeError("a place in line was lost")
    for person in people:
        person.portal = queue.portal
    return seconds


def stop_some(people: list[Person], running: set[str], count: int) -> None:
    """Stop a few of the sessions that run, by their owners."""
    for person in people:
        if count < 1:
            return
        if not hasattr(person, "known"):
            person.known = person.name  # type: ignore[attr-defined]
        if person.known in running:  # type: ignore[attr-defined]
            person.stop("one")
            leave_idle(person)
            count -= 1


if __name__ == "__main__":
    main()
