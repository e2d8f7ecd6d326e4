"""What a card says once a session's memory was used up."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

import pytest
from traitlets.config import Config

from daas_hub.facility import Facility
from daas_hub.spawners import session_memory as module
from daas_hub.spawners.session_lifetime import Lifetime
from daas_hub.spawners.session_memory import NOTICE_S, SessionMemoryMixin

NOON = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.UTC).timestamp()


class Session(SessionMemoryMixin):
    """A session that was started at ten."""

    ending = ""
    config = Config()
    lifetime = Lifetime(started=NOON - 7200)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be noon, in a facility with UTC."""
    monkeypatch.setattr(Facility, "of", lambda _: SimpleNamespace(zone=datetime.UTC))
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: NOON))


@pytest.mark.parametrize(
    ("at", "expected"),
    # by a clock that is three hours ahead or behind, it was after now or before the start
    [(0.0, "12:00"), (NOON - 600, "11:50"), (NOON + 10_800, "12:00"), (NOON - 10_800, "12:00")],
)
def test_it_says_how_much_and_when(at: float, expected: str) -> None:
    session = Session()
    session.note_memory_end(4 * 2**30, at)
    assert session.ending == f"It used all of its 4 GiB of memory at {expected}, and was ended."
    assert session.memory_used_up == 4 * 2**30


def test_a_limit_that_is_not_known_offers_nothing() -> None:
    session = Session()
    session.note_memory_end(0)
    assert session.ending == "It used all of its memory at 12:00, and was ended."
    assert session.memory_used_up == 0


def test_it_survives_a_restart() -> None:
    before, after = Session(), Session()
    assert before.memory_state() == {}
    before.note_memory_end(2**30)
    after.load_memory(before.memory_state())
    assert after.memory_used_up == 2**30
    after.load_memory({})
    assert after.memory_used_up == 0


def test_a_killed_program_is_said_for_a_while() -> None:
    session = Session()
    words = "A program used up the session's memory and was ended at 11:55."
    assert session.memory_notice(NOON - 300) == words
    assert session.memory_notice(NOON - NOTICE_S) == ""
    assert session.memory_notice(0.0) == ""
