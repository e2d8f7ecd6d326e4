"""A queue whose database is away: it says so in a line, loses no ticket, and is served when the database is back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from daas_hub.admission.dispatcher import REMIND_S
from tests.waiting import until

from .plain_hub import Hub
from .scenes import NOW, demand


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with room for two sessions, both of which run, and with one launch that waits."""
    made = Hub(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    for name in ("x", "y"):
        made.gate.admit(demand(name))
        made.ready.add((name, "one"))
    made.dispatcher.round()
    made.join(demand("anna"))
    yield made
    made.db.close()


def away(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every commit fail as without a server."""

    def fail() -> None:
        raise OperationalError(None, None, Exception("the server is away"))  # type: ignore[arg-type]

    monkeypatch.setattr(hub.db, "commit", fail)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "queue is" in one.getMessage()]


async def test_a_line_rarely_and_one_when_it_is_back(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jupyterhub.daas")
    away(hub, monkeypatch)
    # a session has ended, which is to be stored
    hub.ready.discard(("x", "one"))
    for second in range(int(REMIND_S) + 10):
        hub.clock.now = NOW + second
        await hub.dispatcher.serve_now(("nobody", "one"), 0)
    assert lines(caplog) == [
        "the queue is not served: the database does not answer (OperationalError)",
        "the queue is not served: the database has not answered for 300 s",
    ]
    assert not any(one.exc_info for one in caplog.records), "no traceback"
    assert hub.starts == []

    monkeypatch.undo()
    caplog.clear()
    hub.clock.now = NOW + 400
    for _ in range(3):
        await hub.dispatcher.serve_now(("anna", "one"), 5)
    assert lines(caplog) == ["the queue is served again: the database is back after 400 s"]
    assert hub.starts == [("anna", "one")]


async def test_another_error_is_logged_each_time(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(hub, "running", fail)
    for _ in range(2):
        await hub.dispatcher.serve_now(("nobody", "one"), 0)
    assert [bool(one.exc_info) for one in caplog.records] == [True, True]


async def test_a_ticket_whose_end_cannot_be_stored_ends_when_the_database_is_back(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its session runs, and the database goes away before the ticket is removed."""
    hub.ready.discard(("x", "one"))
    hub.dispatcher.round()
    away(hub, monkeypatch)
    await until(lambda: bool(lines(caplog)))
    assert hub.starts == [("anna", "one")]
    assert hub.line.has(("anna", "one"))

    monkeypatch.undo()
    hub.dispatcher.round()
    await asyncio.sleep(0)
    assert hub.line.is_empty()
    assert hub.starts == [("anna", "one")]
