"""What a launch writes into the hub's database: each commit is work of the hub's only thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_portal import Portal, free_ports, new_state, remove, start_portal

pytestmark = pytest.mark.sandbox

#: Commits of one launch that write something, and those that store the login.
MAX_COMMITS = 16
MAX_OF_LOGIN = 1

#: Writes a line for each commit: the tables that it changes, and whether an auth_state is among the values.
CONFIG = """
import json

from sqlalchemy import event
from sqlalchemy.engine import Engine

_written = []


@event.listens_for(Engine, "after_cursor_execute")
def _executed(connection, cursor, statement, parameters, context, executemany):
    verb, *words = statement.split()
    if verb in ("INSERT", "UPDATE", "DELETE"):
        table = words[0] if verb == "UPDATE" else words[1]
        _written.append(table + (" encrypted_auth_state" if "encrypted_auth_state=" in statement else ""))


@event.listens_for(Engine, "commit")
def _committed(connection):
    if _written:
        with open({file!r}, "a") as commits:
            commits.write(json.dumps(_written) + "\\n")
        _written.clear()
"""


@pytest.fixture
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal that lists its commits."""
    state = new_state()
    running = start_portal(state=state, port=free_ports(4), more_config=CONFIG.format(file=str(commits_of(state))))
    yield running
    running.stop()
    remove(running)


def commits_of(state: Path) -> Path:
    return state / "commits"


def test_a_launch_commits_no_more_than_it_did(portal: Portal) -> None:
    """From the press until the session's page is open: the second launch, when roles and groups are stored."""
    anna = portal.login("anna")
    for _ in range(2):
        commits_of(portal.state).write_text("")
        name = anna.launch("terminal", proposal="MA-4242", visit="2")
        anna.get(f"/user/{anna.name}/{name}/")
        found = [json.loads(line) for line in commits_of(portal.state).read_text().splitlines()]
    # at once, because the login's tokens may have replaced others, and not again by JupyterHub
    assert sum("users encrypted_auth_state" in one for one in found) <= MAX_OF_LOGIN, found
    assert len(found) <= MAX_COMMITS, found
