"""The round trips that a session reports: it may report anything."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from daas_hub.portal.round_trips import EVERY_S, MAX_AT_ONCE, take_round_trips
from daas_hub.session import round_trips as of_the_session

KNOWN = ("pymca",)


class Spawner(SimpleNamespace):
    """A session of PyMca."""

    __hash__ = object.__hash__


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def session(application: Any = "pymca") -> Any:
    return Spawner(user_options={"application": application}, place="")


def counted(application: str) -> float:
    labels = {"application": application, "place": "default"}
    return REGISTRY.get_sample_value("daas_desktop_round_trip_seconds_count", labels) or 0.0


def test_they_are_counted_by_application_and_place() -> None:
    before = counted("pymca")
    assert take_round_trips(session(), [0.04, 0.2], KNOWN, Clock()) == 2
    assert counted("pymca") == before + 2


@pytest.mark.parametrize(
    "reported",
    [None, [], {}, "0.1", 0.1, ["0.1"], [None], [True], [float("nan")], [float("inf")], [-1], [0], [1e-9], [61], [[1]]],
)
def test_what_is_no_round_trip_is_not_counted(reported: Any) -> None:
    assert take_round_trips(session(), reported, KNOWN, Clock()) == 0


def test_one_that_is_wrong_does_not_hide_the_others() -> None:
    assert take_round_trips(session(), [9e9, 0.1], KNOWN, Clock()) == 1


def test_no_more_than_a_page_measures_in_the_time() -> None:
    clock, one = Clock(), session()
    assert take_round_trips(one, [0.1] * 10_000, KNOWN, clock) == MAX_AT_ONCE
    assert take_round_trips(one, [0.1] * 10_000, KNOWN, clock) == 0
    clock.now += EVERY_S - 1
    assert take_round_trips(one, [0.1], KNOWN, clock) == 0
    clock.now += 1
    assert take_round_trips(one, [0.1] * 3, KNOWN, clock) == 1
    clock.now += 3600
    assert take_round_trips(one, [0.1] * 100, KNOWN, clock) == MAX_AT_ONCE
    assert take_round_trips(session(), [0.1], KNOWN, clock) == 1, "another session has its own limit"


@pytest.mark.parametrize("hostile", ['x"} 1\n', "", None, ["pymca"], 7, "anna"])
def test_what_a_session_calls_itself_is_no_label(hostile: Any) -> None:
    before = counted("other")
    assert take_round_trips(session(hostile), [0.1], KNOWN, Clock()) == 1
    assert counted("other") == before + 1


def test_the_session_keeps_what_the_hub_takes() -> None:
    assert (of_the_session.EVERY_S, of_the_session.MAX_KEPT) == (EVERY_S, MAX_AT_ONCE)
