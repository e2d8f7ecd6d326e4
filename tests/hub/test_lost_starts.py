"""A database that is away for longer than a restart takes: what was accepted starts when it is back, and only once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.spawners.sandbox.processes import marked_processes
from tests.live_portal import Portal, free_ports, new_state, plain_text, remove, start_portal
from tests.places import kill
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

#: SQLite in the role of a server, which is away while a file exists; a hook holds starts until another one
#: exists, and can begin such a time itself.
CONFIG = """
import asyncio
import os
import sqlite3

from sqlalchemy import event
from sqlalchemy.engine import Engine

from daas_hub.database import lost_transactions


class _Cursor(sqlite3.Cursor):
    def execute(self, statement, *given):
        if os.path.exists(AWAY):
            self.connection.close()
        return super().execute(statement, *given)


class _Connection(sqlite3.Connection):
    def cursor(self, *given):
        return super().cursor(_Cursor)


@event.listens_for(Engine, "do_connect")
def _connect(dialect, record, arguments, parameters):
    if os.path.exists(AWAY):
        raise sqlite3.OperationalError("the server is away")
    parameters["factory"] = _Connection
    lost_transactions.repeat_lost_transactions(dialect)


async def _hold(spawner):
    if os.path.exists(CUT):
        os.rename(CUT, AWAY)
    print("held:", spawner.name, flush=True)
    while not os.path.exists(GO):
        await asyncio.sleep(0.1)


c.Spawner.pre_spawn_hook = _hold
"""


@pytest.fixture(params=["at once", "from the queue"])
def portal(sandbox_works: None, request: pytest.FixtureRequest) -> Iterator[Portal]:
    """A portal with this database."""
    state = new_state()
    paths = "".join(f"{name.upper()} = {str(state / name)!r}\n" for name in ("away", "cut", "go"))
    queue = "c.Queue.enabled = True\n" if request.param == "from the queue" else ""
    running = start_portal(state=state, port=free_ports(4), more_config=f"{paths}{CONFIG}{queue}")
    yield running
    running.stop()
    remove(running)


def starts_in(log: Path, name: str) -> int:
    return log.read_text().count(f"held: {name}\n")


def test_an_accepted_start_is_repeated_once(portal: Portal) -> None:
    anna = portal.login("anna")
    away, go = portal.state / "away", portal.state / "go"
    # its page shows the progress
    name = anna.launch("terminal", proposal="MA-4242", visit="2", wait=False)
    wait_for(lambda: starts_in(portal.log, name) == 1, "the start is held")
    with anna.get("/hub/daas/events", stream=True, timeout=60) as events:
        assert events.status_code == 200
        lines = events.iter_lines(decode_unicode=True)
        assert "Starting" in next(lines)
        away.touch()
        go.touch()
        wait_for(lambda: f"{name}: the start was lost with the database" in portal.log.read_text(), "its failure")
        assert anna.get("/hub/home").status_code == 503
        away.unlink()
        # the stream of the page is the same one
        wait_for(lambda: "Running" in next(lines), "the session on its page")
    anna.wait_ready(name)
    assert anna.get(f"/user/{anna.name}/{name}/status").json()["state"] == "running"
    assert starts_in(portal.log, name) == 2
    assert portal.log.read_text().count(f"{name}: the start is repeated") == 1
    assert len(anna.get("/hub/api/user").json()["servers"]) == 1


def test_a_start_is_accepted_that_is_lost_before_its_page_is_shown(portal: Portal) -> None:
    anna = portal.login("anna")
    (portal.state / "go").touch()
    (portal.state / "cut").touch()
    name = anna.launch("terminal", proposal="MA-4242", visit="2", wait=False)
    wait_for(lambda: f"{name}: the start was lost with the database" in portal.log.read_text(), "its failure")
    (portal.state / "away").unlink()
    anna.wait_ready(name)
    assert starts_in(portal.log, name) == 2


def test_a_program_gets_a_start_that_it_was_promised(portal: Portal) -> None:
    """And not one whose request has failed: that can be started again."""
    anna = portal.login("anna")
    request = {"application": "terminal", "proposal": "MA-4242", "visit": 2}
    away, go = portal.state / "away", portal.state / "go"
    assert anna.api("POST", f"users/{anna.name}/servers/promised", request).status_code == 202
    away.touch()
    go.touch()
    wait_for(lambda: "promised: the start was lost with the database" in portal.log.read_text(), "its failure")
    away.unlink()
    anna.wait_ready("promised")

    (portal.state / "cut").touch()
    assert anna.api("POST", f"users/{anna.name}/servers/refused", request).status_code == 503
    wait_for(lambda: "refused: the start was lost with the database" in portal.log.read_text(), "its failure")
    away.unlink()
    wait_for(lambda: "refused: what was left of the start is ended" in portal.log.read_text(), "its end")
    assert starts_in(portal.log, "refused") == 1
    assert anna.api("POST", f"users/{anna.name}/servers/refused", request).status_code in (201, 202)
    anna.wait_ready("refused")


def test_the_log_says_once_that_the_queue_has_no_database(portal: Portal) -> None:
    anna, away = portal.login("anna"), portal.state / "away"
    (portal.state / "go").touch()
    anna.launch("terminal", proposal="MA-4242", visit="2")
    away.touch()
    # its end is to be stored
    for processes in marked_processes(portal.state / "run" / "sessions").values():
        for process in processes:
            process.kill()
    wait_for(lambda: "the queue is not served: the database does not answer" in portal.log.read_text(), "the line")
    away.unlink()
    wait_for(lambda: "the queue is served again" in portal.log.read_text(), "the end of it")
    lines = [line for line in portal.log.read_text().splitlines() if "jupyterhub.daas dispatcher" in line]
    assert [line for line in lines if "queue is" in line] == lines[-2:]
    assert not any("could not be served" in line for line in lines)


def test_a_hub_that_is_killed_meanwhile(portal: Portal) -> None:
    """Its start waits for the database then. The queue starts it again; without one its page says what happened."""
    has_queue = "c.Queue.enabled" in (portal.state / "test_config.py").read_text()
    anna, away = portal.login("anna"), portal.state / "away"
    name = anna.launch("terminal", proposal="MA-4242", visit="2", wait=False)
    wait_for(lambda: starts_in(portal.log, name) == 1, "the start is held")
    away.touch()
    (portal.state / "go").touch()
    wait_for(lambda: f"{name}: the start was lost with the database" in portal.log.read_text(), "its failure")
    kill(portal)
    away.unlink()
    config = (portal.state / "test_config.py").read_text()
    more = config[config.index("AWAY =") :]
    portal.process = start_portal(state=portal.state, port=portal.port, more_config=more).process
    if not has_queue:
        page = plain_text(anna.get(f"/hub/sessions/{name}"))
        assert "The portal was restarted while this session was starting." in page
        assert "Launch Terminal" in page
        # the same button, with the same name
        anna.post("/hub/launch", {"application": "terminal", "session_name": name})
    anna.wait_ready(name)
    assert len(marked_processes(portal.state / "run" / "sessions")) == 1
