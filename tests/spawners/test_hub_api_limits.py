"""How fast a session may ask, and how long a failure makes it wait (D2, G1)."""

from __future__ import annotations

import resource

import pytest

from daas_hub.spawners.hub_api_limits import Descriptors, TokenBucket


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_burst_and_then_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(3, 0.5, clock=clock)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    assert bucket.wait_s() == 2
    clock.now += 2
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now += 1000
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]


def test_failures_lead_into_a_debt_that_has_an_end() -> None:
    clock = Clock()
    bucket = TokenBucket(3, 1, max_debt=30, clock=clock)
    for _ in range(100):
        bucket.spend(10)
    assert bucket.wait_s() == 31
    clock.now += 31
    assert bucket.take()


def test_half_of_the_descriptors_are_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 200))
    sessions = Descriptors()
    sessions.used = 49
    assert sessions.are_left
    sessions.used = 50
    assert not sessions.are_left
