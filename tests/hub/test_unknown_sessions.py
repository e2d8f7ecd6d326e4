"""A restored database ends nothing: sessions that it does not know are listed, and an administrator decides."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.operator import Operator
from tests.hub.restored import wait_stored
from tests.hub.shown_output import require_as_shown
from tests.live_portal import Portal, new_state, remove, start_portal
from tests.not_tried import not_tried
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

#: A start that takes longer than a backup.
SLOW = """
import asyncio
from daas_hub.spawners.sandbox.spawner import SandboxSpawner
build = SandboxSpawner.start_session

async def build_slowly(self, plan):
    url = await build(self, plan)
    await asyncio.sleep(6)
    return url

SandboxSpawner.start_session = build_slowly
"""
INTERVAL = "c.SandboxSpawner.reconcile_interval_s = 0.5"


@pytest.fixture
def operator(sandbox_works: None) -> Iterator[Operator]:
    """A portal whose hub compares twice a second."""
    operator = Operator(start_portal(state=new_state(), more_config=f"{INTERVAL}\n{SLOW}"))
    yield operator
    operator.portal.stop()
    remove(operator.portal)


def test_a_restored_database_ends_nothing(operator: Operator) -> None:
    portal = operator.portal
    if not portal.database_url.startswith("sqlite:"):
        not_tried("a database server is restored from its own dump: tests/hub/test_databases.py")
    anna = portal.login("anna")
    kept = anna.launch("terminal")
    # the backup has its start, and not that it was completed
    begun = anna.launch("terminal", wait=False)
    backup = portal.state / "backup.sqlite"
    with sqlite3.connect(portal.state / "hub" / "jupyterhub.sqlite") as database, sqlite3.connect(backup) as copy:
        database.backup(copy)
    assert not starts_in(backup)[begun]
    anna.wait_ready(begun)
    later = anna.launch("terminal", proposal="MA-4242", visit="2")
    page = f"/user/{anna.name}/{later}/status"
    wait_stored(portal.state / "run", 3)
    portal.process.kill()
    portal.process.wait()
    for file in (portal.state / "hub").glob("jupyterhub.sqlite*"):
        file.unlink()
    shutil.copy(backup, portal.state / "hub" / "jupyterhub.sqlite")
    again = start_portal(state=portal.state, port=portal.port, more_config=INTERVAL)
    portal.process = again.process

    found = {one["session"]: one for one in wait_for_unknown(operator, 2)}
    assert set(found) == {begun, later}
    unknown = found[later]
    assert (unknown["user"], unknown["session"], unknown["proposal"]) == (anna.name, later, "MA-4242")
    # several rounds later it still runs, as does the one that the backup has
    time.sleep(3)
    assert len(operator.asked("unknown-sessions")) == 2
    anna = portal.login("anna")
    assert anna.get(f"/user/{anna.name}/{kept}/status").json()["state"] == "running"
    assert "2 sessions" in operator.run("unknown-sessions").stdout
    # the hub does not know it, so nobody is let in
    assert anna.get(page).status_code != 200

    refused = operator.run("unknown-sessions", "--end", "no-such-session")
    assert refused.returncode == 1
    assert "There is no session of this name that the hub does not know." in refused.stdout
    ended = operator.run("unknown-sessions", "--end", found[begun]["name"])
    assert (ended.returncode, ended.stdout) == (0, f"{found[begun]['name']}: ended\n")
    require_as_shown("unknown-sessions --end 3f1c0a9d5e7b42864c11", ended.stdout)
    (event,) = wait_for(lambda: administration(portal), "the audit does not have it")
    assert event == ("DELETE unknown-session", "service:daas-hub-operators", anna.name, begun)
    (left,) = wait_for_unknown(operator, 1)
    assert left["name"] == unknown["name"]
    require_as_shown("unknown-sessions", operator.run("unknown-sessions").stdout)
    assert operator.run("unknown-sessions", "--end", left["name"]).returncode == 0
    assert wait_for_unknown(operator, 0) == []
    assert anna.get(f"/user/{anna.name}/{kept}/status").json()["state"] == "running"


def administration(portal: Portal) -> list[tuple[str, str, str, str]]:
    """Return what the audit says of operators."""
    events = [json.loads(line) for line in (portal.state / "audit" / "audit.jsonl").read_text().splitlines()]
    found = [one for one in events if one["__schema__"].endswith("/administration")]
    return [(one["action"], one["user"], one["target"], one["session"]) for one in found]


def starts_in(database: Path) -> dict[str, str]:
    """Return the completed starts that a copy of the hub's database has, by the name of the session."""
    with contextlib.closing(sqlite3.connect(database)) as db:
        rows = db.execute("SELECT name, state FROM spawners").fetchall()
    return {name: json.loads(state or "{}").get("start", "") for name, state in rows}


def wait_for_unknown(operator: Operator, count: int) -> list[dict[str, str]]:
    """Wait until the hub reports this number of sessions, and return them."""
    until = time.monotonic() + 60
    while len(found := operator.asked("unknown-sessions")) != count and time.monotonic() < until:
        time.sleep(0.5)
    assert len(found) == count
    return list(found)
