"""The life of a session as the hub knows it: reports, extensions, ends, and what a restart of the hub keeps."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from tornado import web

from daas_hub.errors import Refused
from daas_hub.lifetime import Limits, Reason
from daas_hub.portal.activity import _take
from daas_hub.portal.extensions import extend
from daas_hub.portal.session_views import extend_words
from daas_hub.spawners.session_lifetime import Lifetime, SessionLifetimeMixin

LIMITS = Limits(
    longest_s=7200, idle_s=3600, warning_s=600, extension_s=1800, max_extensions=2, never_beyond_s=10_000
)  # fmt: skip


class Session(SessionLifetimeMixin):
    """A spawner, as far as its life is concerned."""

    ending = ""
    log = logging.getLogger("test")
    _log_name = "u1:desk"

    def __init__(self) -> None:
        super().__init__()
        self.orm_spawner = SimpleNamespace(state={})
        self.db = SimpleNamespace(commit=lambda: None)

    def get_state(self) -> dict[str, Any]:
        return self.lifetime_state()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The wall clock."""
    clock = SimpleNamespace(now=1_000_000.0)
    monkeypatch.setattr("time.time", lambda: clock.now)
    return clock


@pytest.fixture
def session(at: SimpleNamespace) -> Session:
    made = Session()
    made.begin_lifetime(SimpleNamespace(limits=LIMITS))  # type: ignore[arg-type]
    return made


def test_an_idle_session_is_announced_kept_and_ended(session: Session, at: SimpleNamespace) -> None:
    at.now += 3100
    session.note_use(3100, 3100)
    assert session.end_notice == "It ends in 8 minutes, after being idle for 1 hour, unless it is used."
    assert extend_words(session) == "Still in use"
    assert extend(session)
    assert session.end_notice == ""
    assert session.lifetime_answer()["kept_s"] == 0
    assert session.orm_spawner.state["lifetime"]["kept"] == at.now
    assert session.lifetime.extensions == 0, "it is no extension"

    at.now += 3600
    assert not session.is_over(), "its last report does not cover the hour"
    session.note_use(6700, 6700)
    assert session.is_over()
    session.note_end()
    assert session.ending == "It was idle for 1 hour."


def test_what_quotas_refuse_is_not_extended(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(until: float) -> None:
        assert until == session.ends + LIMITS.extension_s
        raise Refused("You are using 8 of 10 hours.")

    assert (session.can_extend, session.extension_refusal) == (True, "")
    monkeypatch.setattr(session, "require_extension", refuse)
    assert (session.can_extend, session.extension_refusal) == (False, "You are using 8 of 10 hours.")
    assert not extend(session)
    assert session.lifetime.extensions == 0


def test_processor_use_keeps_it(session: Session, at: SimpleNamespace) -> None:
    at.now += 5000
    session.note_use(5000, 10)
    assert not session.is_over()
    assert session.end_notice == ""


def test_nothing_reported_is_not_idle(session: Session, at: SimpleNamespace) -> None:
    at.now += 5000
    assert not session.is_over()
    at.now += 2200
    session.note_end()
    assert session.ending == "It reached its time limit."


def test_extensions_up_to_the_maximum(session: Session, at: SimpleNamespace) -> None:
    assert extend_words(session) == "Extend by 30 minutes"
    assert [extend(session), extend(session), extend(session)] == [True, True, False]
    # two of half an hour would be 10,800 s
    assert session.ends == at.now + 10_000
    assert extend_words(session) == ""
    assert session.lifetime_answer() == {"remaining_s": 10_000, "kept_s": None, "can_extend": False}


def test_a_restart_of_the_hub_keeps_it(session: Session, at: SimpleNamespace) -> None:
    session.extend()
    session.note_use(5, 5)
    restored = Session()
    restored.load_lifetime(session.lifetime_state())
    assert restored.ends == session.ends
    assert restored.lifetime == Lifetime(LIMITS, started=at.now, extensions=1)


@pytest.mark.parametrize(
    "state", [{"ends": 2e6}, {"ends": 2e6, "lifetime": 3}, {"lifetime": {"limits": {"idle_s": "x"}}}]
)
def test_the_state_of_another_release(state: dict[str, Any]) -> None:
    restored = Session()
    restored.load_lifetime(state)
    assert (restored.ends, restored.lifetime) == (state.get("ends", 0.0), Lifetime())


@pytest.mark.parametrize(
    ("printed", "later_s", "words"),
    [
        pytest.param("idle", 10, "It was idle for 1 hour.", id="it-says-so"),
        pytest.param("time-limit", 7300, "It reached its time limit.", id="time-limit"),
        pytest.param("", 7300, "It reached its time limit.", id="an-older-image-says-nothing"),
        pytest.param("", 10, "", id="it-ended-otherwise"),
        pytest.param("<b>you were hacked</b>", 10, "", id="only-known-reasons"),
    ],
)
def test_why_it_ended_while_the_hub_was_away(
    session: Session, at: SimpleNamespace, printed: str, later_s: float, words: str
) -> None:
    at.now += later_s
    assert session.own_end_words(printed) == words
    assert {one.value for one in Reason} == {"idle", "time-limit"}


@pytest.mark.parametrize(
    "use",
    [None, 3, {}, {"unused_s": 1}, {"unused_s": -1, "quiet_s": 0}, {"unused_s": float("nan"), "quiet_s": 0},
     {"unused_s": "1", "quiet_s": 0}, {"unused_s": 1e300, "quiet_s": 0}],
)  # fmt: skip
def test_a_report_that_is_invalid(session: Session, use: Any) -> None:
    with pytest.raises(web.HTTPError):
        _take(session, {"use": use})
    assert session.lifetime.use is None


def test_a_report_that_asks_for_an_extension(session: Session) -> None:
    before = session.ends
    _take(session, {"use": {"unused_s": 1, "quiet_s": 2}, "extend": True})
    assert session.ends == before + 1800
    _take(session, {"use": {"unused_s": 1, "quiet_s": 2}, "extend": "yes"})
    assert session.ends == before + 1800
