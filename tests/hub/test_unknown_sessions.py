"""A restored database ends nothing: sessions that it does not know are listed, and an administrator decides."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator

import pytest

from tests.hub.operator import Operator
from tests.live_portal import new_state, remove, start_portal

pytestmark = pytest.mark.sandbox

INTERVAL = "c.SandboxSpawner.reconcile_interval_s = 0.5"


@pytest.fixture
def operator(sandbox_works: None) -> Iterator[Operator]:
    """A portal whose hub compares twice a second."""
    operator = Operator(start_portal(state=new_state(), more_config=INTERVAL))
    yield operator
    operator.portal.stop()
    remove(operator.portal)


def test_a_restored_database_ends_nothing(operator: Operator) -> None:
    portal = operator.portal
    anna = portal.login("anna")
    kept = anna.launch("terminal")
    backup = portal.state / "backup.sqlite"
    with sqlite3.connect(portal.state / "hub" / "jupyterhub.sqlite") as database, sqlite3.connect(backup) as copy:
        database.backup(copy)
    later = anna.launch("terminal", proposal="MA-4242", visit="2")
    page = f"/user/{anna.name}/{later}/status"
    portal.process.kill()
    portal.process.wait()
    for file in (portal.state / "hub").glob("jupyterhub.sqlite*"):
        file.unlink()
    shutil.copy(backup, portal.state / "hub" / "jupyterhub.sqlite")
    again = start_portal(state=portal.state, port=portal.port, more_config=INTERVAL)
    portal.process = again.process

    (unknown,) = wait_for_unknown(operator, 1)
    assert (unknown["user"], unknown["session"], unknown["proposal"]) == (anna.name, later, "MA-4242")
    # several rounds later it still runs, as does the one that the backup has
    time.sleep(3)
    assert len(operator.asked("unknown-sessions")) == 1
    anna = portal.login("anna")
    assert anna.get(f"/user/{anna.name}/{kept}/status").json()["state"] == "running"
    assert "1 session" in operator.run("unknown-sessions").stdout
    # the hub does not know it, so nobody is let in
    assert anna.get(page).status_code != 200

    refused = operator.run("unknown-sessions", "--end", "no-such-session")
    assert refused.returncode == 1
    assert "There is no session of this name that the hub does not know." in refused.stdout
    ended = operator.run("unknown-sessions", "--end", unknown["name"])
    assert (ended.returncode, ended.stdout) == (0, f"{unknown['name']}: ended\n")
    assert wait_for_unknown(operator, 0) == []
    assert anna.get(f"/user/{anna.name}/{kept}/status").json()["state"] == "running"


def wait_for_unknown(operator: Operator, count: int) -> list[dict[str, str]]:
    """Wait until the hub reports this number of sessions, and return them."""
    until = time.monotonic() + 60
    while len(found := operator.asked("unknown-sessions")) != count and time.monotonic() < until:
        time.sleep(0.5)
    assert len(found) == count
    return list(found)
