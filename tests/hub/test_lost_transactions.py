"""A hub that loses its connection to the database again and again: at a statement, at a commit, and after one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_portal import Portal, free_ports, new_state, remove, start_portal

pytestmark = pytest.mark.sandbox

#: SQLite in the role of a server that is restarted, from the moment the file exists: a closed connection has lost its
#: transaction.
CONFIG = '''
import itertools
import os
import sqlite3

from sqlalchemy import event
from sqlalchemy.engine import Engine

from daas_hub.database import lost_transactions

_due = itertools.cycle(("statement", "commit", "answer"))
_next, _since = next(_due), 0


def _is_due(*what):
    """Return what is lost now, of these; "" for nothing. More statements are between two than a transaction has."""
    global _next, _since
    _since += 1
    if _since < 15 or _next not in what or not os.path.exists(FILE):
        return ""
    print("lost:", _next, flush=True)
    lost, _next, _since = _next, next(_due), 0
    return lost


class _Connection(sqlite3.Connection):
    def cursor(self, *given):
        return super().cursor(_Cursor)

    def commit(self):
        lost = _is_due("commit", "answer") if self.in_transaction else ""
        if lost == "answer":
            super().commit()
        if lost:
            self.close()
        super().commit()


class _Cursor(sqlite3.Cursor):
    def execute(self, statement, *given):
        if self.connection.in_transaction and _is_due("statement"):
            self.connection.close()
        return super().execute(statement, *given)


@event.listens_for(Engine, "do_connect")
def _connect(dialect, record, arguments, parameters):
    parameters["factory"] = _Connection
    lost_transactions.repeat_lost_transactions(dialect)
'''


@pytest.fixture
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal with this database."""
    state = new_state()
    config = f"FILE = {str(loses(state))!r}\n{CONFIG}"
    running = start_portal(state=state, port=free_ports(4), more_config=config)
    yield running
    running.stop()
    remove(running)


def loses(state: Path) -> Path:
    return state / "loses"


def test_starts_and_stops_do_not_notice_lost_connections(portal: Portal) -> None:
    loses(portal.state).touch()
    anna = portal.login("anna")
    names = [anna.launch("terminal", proposal="MA-4242", visit="2") for _ in range(4)]
    for name in names:
        assert anna.get(f"/user/{anna.name}/{name}/status").json()["state"] == "running"
    assert {name for (name,) in portal.rows("SELECT name FROM spawners WHERE name != ''")} == set(names)
    for name in names:
        assert anna.stop(name).status_code == 303
    log = portal.log.read_text()
    for what in ("statement", "commit", "answer"):
        assert log.count(f"lost: {what}\n") >= 2, what
    assert "[E " not in log
