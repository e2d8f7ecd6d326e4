"""A thousand people press within ten seconds on a portal with fifty places, and its hub is killed three times then.

    python -m benchmarks.queueing

Sessions are of a backend that starts nothing: one server answers for all of them. Everybody signs in through a web
server in front. The proxy is a service of its own, as in an installed portal, and people follow its redirects as a
browser does. The hub is killed three times while they press, and three times while others take their turns. Nobody may
see an error or a 429, lose a place in line, or be started twice; who starts is compared with the order of the tickets.
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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tests.live_portal import Person, free_ports, plain_text, remove
from tests.own_proxy import CONFIG, own_proxy
from tests.places import kill, kill_rest
from tests.queue_portal import QueuePortal
from tests.waiting import wait_for

from .machine import goal_max, goal_min, progress, section, spread, spread_head, table

PEOPLE, PLACES, WITHIN_S, KILLS = 1000, 50, 10.0, 3
#: Shares of the people who have a session or a ticket when the hub is killed: the first time among starts.
KILLED_AT = (0.03, 0.4, 0.75)
BROWSER, MAX_REDIRECTS = {"Accept": "text/html,*/*;q=0.8"}, 20

#: A session is a file, which outlives the hub. Records and reconciler are those of every other backend.
BACKEND = """
from pathlib import Path

from jupyterhub.spawner import Spawner
from daas_hub.spawners.recorded import RecordedSessionMixin
from daas_hub.spawners.session_records import RunningSession

class FileSession(RecordedSessionMixin, Spawner):
    @property
    def hub_api_url(self):
        return self.hub.api_url

    @property
    def file(self):
        return Path({folder!r}, self.name_on_backend(self.user.name, self.name))

    async def start_session(self, plan):
        before = self.records.get(self.key)
        await self.record_start(plan)
        # what a killed hub left of a start is replaced, as by every other backend
        is_left = before is not None and not before.is_ready
        word = "once" if not self.file.exists() else "again" if is_left else "twice"
        with open({starts!r}, "a") as file:
            file.write(plan.account.name + " " + word + "\\n")
        self.file.touch()
        return {url!r}

    async def poll(self):
        if self.was_interrupted and not self._start_pending:
            return 0
        return None if self.file.exists() else 0

    async def stop(self, now=False):
        self.file.unlink(missing_ok=True)

    async def run_post_stop_hook(self):
        # what an interrupted start has left ends with it, as in every other backend
        self.file.unlink(missing_ok=True)
        await self.records.remove(self.key)

    async def list_running(self):
        return [RunningSession(one.name, (one,)) for one in Path({folder!r}).iterdir()]

    async def end_running(self, one):
        one.handles[0].unlink(missing_ok=True)

c.JupyterHub.spawner_class = FileSession
c.FileSession.runtime_dir = {runtime!r}
c.FileSession.poll_interval = 30
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


@dataclass(frozen=True)
class Answer:
    """What a person saw after a press.

    Attributes:
        times: how often the browser sent the form: again after each 307, which the proxy answers while the hub is away.
    """

    status: int
    took_s: float
    times: int
    words: str


def press(person: Person, token: str, at: float) -> Answer:
    """Launch at a moment, as a browser does."""
    time.sleep(max(0.0, at - time.monotonic()))
    fields = {"_xsrf": token, "application": "terminal", "session_name": "one"}
    begun, path = time.perf_counter(), "/hub/launch"
    for times in range(1, MAX_REDIRECTS + 1):  # noqa: B007
        answer = person.session.post(
            person.portal.url + path, data=fields, headers=BROWSER, allow_redirects=False, timeout=300
        )
        if answer.status_code != 307:
            break
        path = answer.headers["Location"]
    leave_idle(person)
    return Answer(answer.status_code, time.perf_counter() - begun, times, plain_text(answer)[:200])


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
    port = free_ports(4)
    with sessions() as url, tempfile.TemporaryDirectory(prefix="daas-queueing-") as folder, own_proxy(port):
        paths = {name: str(Path(folder) / name) for name in ("starts", "folder", "runtime")}
        Path(paths["folder"]).mkdir()
        queue = QueuePortal(names, PLACES, CONFIG + BACKEND.format(url=url, **paths), port)
        try:
            measure(queue, names, options.through, Path(paths["starts"]))
        finally:
            queue.portal.stop()
            kill_rest(queue.portal)
            remove(queue.portal)


def press_all(queue: QueuePortal, people: list[Person], tokens: list[str]) -> tuple[list[Answer], list[Kill]]:
    """Let everybody press, and kill the hub among the presses."""
    begin = time.monotonic() + 2
    with ThreadPoolExecutor(len(people)) as pool:
        at = [begin + WITHIN_S * n / len(people) for n in range(len(people))]
        pressing = [pool.submit(press, *one) for one in zip(people, tokens, at, strict=True)]
        kills = []
        for share in KILLED_AT:
            wait_for(lambda share=share: len(known(queue)) >= share * len(people), "presses", 120)  # type: ignore[misc]
            kills.append(kill_hub(queue, people, lambda: sum(1 for one in pressing if not one.done())))
        return [one.result() for one in pressing], kills


def measure(queue: QueuePortal, names: list[str], through: int, starts_file: Path) -> None:
    """Let everybody press, kill the hub meanwhile, let some through, and compare."""
    with ThreadPoolExecutor(8) as pool:
        arrived = list(pool.map(lambda name: arrive(queue, name), names))
    people = [person for person, _ in arrived]
    answers, kills = press_all(queue, people, [token for _, token in arrived])
    wait_for(lambda: len(tickets(queue)) == len(names) - PLACES, lambda: state(queue, names), 120)
    order, later = tickets(queue), list[Kill]()
    while (passed := len(order) - len(tickets(queue))) < through:
        # the first time while nobody was let in yet, then as others take their turns
        if passed >= len(later) * through // KILLS:
            settle(queue)
            later.append(kill_hub(queue, people))
        stop_some(people, running(queue), min(10, through - passed))
        time.sleep(1)
    settle(queue)
    # the first ones had room when they came
    waited = set(order)
    admitted = [str(user) for (user,) in rows(queue, "SELECT user FROM daas_usage ORDER BY id") if user in waited]
    starts = starts_file.read_text().splitlines()
    twice, again = (sum(line.endswith(f" {word}") for line in starts) for word in ("twice", "again"))
    statuses = Counter(one.status for one in answers)
    for one in [one for one in answers if one.status != 303][:5]:
        progress(f"{one.status} after {one.times} times: {one.words}")
    is_in_order = len(admitted) >= through and admitted == order[: len(admitted)]
    lost = sum(one.lost for one in kills + later)
    section(
        f"{len(names):,} people press within {WITHIN_S:.0f} s on {PLACES} places",
        "make bench-queue",
        f"The hub is killed {len(kills)} times while people press: while"
        f" {', '.join(str(one.known) for one in kills)} have a place in line or a session, and"
        f" {', '.join(str(one.pressing) for one in kills)} have no answer yet. Then it is killed {len(later)} times"
        f" while {len(order)} wait and {through} of them get the places of sessions that are stopped.",
        table(
            ["answers", *spread_head("s"), "sent again", "hub back s, at most", "starts", "cut off", "twice",
             "places lost", "in order"],
            [[str(dict(statuses)), *spread([one.took_s for one in answers]),
              sum(one.times > 1 for one in answers), max(one.back_s for one in kills + later), len(starts), again,
              twice, lost, "yes" if is_in_order else "no"]],
        ),
        "\n".join(
            [
                goal_max("answers that are no page of the launch", len(answers) - statuses[303], 0),
                goal_max("sessions that were started while they ran", twice, 0),
                goal_max("places in line that were lost", lost, 0),
                goal_min("kills of the hub among the presses", sum(one.pressing > 0 for one in kills), KILLS),
                goal_max("launches out of order", 0 if is_in_order else through, 0),
            ]
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """What became of one kill of the hub.

    Attributes:
        known: launches that had a ticket or a session.
        pressing: people without an answer.
        lost: tickets that were there before, without a session or a ticket afterwards.
    """

    known: int
    pressing: int
    back_s: float
    lost: int


def known(queue: QueuePortal) -> set[str]:
    """Return who has a ticket or a session."""
    statement = "SELECT user FROM daas_tickets UNION SELECT user FROM daas_usage WHERE ended IS NULL"
    return {str(user) for (user,) in rows(queue, statement)}


def running(queue: QueuePortal) -> set[str]:
    """Return who has a session that runs."""
    found = rows(queue, "SELECT user FROM daas_usage WHERE ended IS NULL AND started IS NOT NULL")
    return {str(user) for (user,) in found}


def settle(queue: QueuePortal) -> None:
    """Wait until every place is taken, and nothing starts."""
    wait_for(lambda: len(running(queue)) == PLACES, lambda: state(queue), 120)


def state(queue: QueuePortal, names: Iterable[str] = ()) -> str:
    """Return how many wait, start and run, who has nothing, and the end of the hub's log."""
    called = rows(queue, "SELECT user FROM daas_tickets WHERE called IS NOT NULL")
    nothing = sorted(set(names) - known(queue))
    return (
        f"{len(tickets(queue))} wait, {len(called)} of them start: {called[:10]}; {len(running(queue))} run;"
        f" without a place: {nothing[:10]}\n{queue.portal.log.read_text(errors='replace')[-6000:]}"
    )


def kill_hub(queue: QueuePortal, people: list[Person], pressing: Callable[[], int] = lambda: 0) -> Kill:
    """Kill the hub, start it again, and count who lost their place."""
    kill(queue.portal)
    before, order, without_answer = known(queue), tickets(queue), pressing()
    begun = time.monotonic()
    queue.start_again()
    seconds = time.monotonic() - begun
    after = tickets(queue)
    lost = before - known(queue)
    # those that are still there, in the same order, and nobody before them
    kept = [one for one in order if one in set(after)]
    is_kept = kept == after[: len(kept)]
    for person in people:
        person.portal = queue.portal
    progress(f"killed with {len(before)} known and {without_answer} pressing; back after {seconds:.1f} s, lost {lost}")
    return Kill(len(before), without_answer, seconds, len(lost) if is_kept else len(order))


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
