"""When a service is left alone, for how long, who may try it again, and what the log says (contract list 2.11)."""

from __future__ import annotations

import logging

import pytest

from daas_hub.services.circuit_breaker import CircuitBreaker


class Clock:
    """A clock that goes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("icat at https://icat.example.org", failure_threshold=3, reset_timeout_s=10, clock=clock)


def test_a_few_failures_are_nothing(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        breaker.record_failure()
        breaker.record_failure()
        assert breaker.allows_request()
        breaker.record_success()


def test_failures_in_a_row_let_it_rest(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(3):
        assert breaker.allows_request()
        breaker.record_failure()
    assert not breaker.allows_request()
    clock.now += 9.9
    assert not breaker.allows_request()


def test_after_the_rest_one_may_try(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.record_failure()
    clock.now += 10
    assert [breaker.allows_request() for _ in range(3)] == [True, False, False]
    breaker.record_failure()
    clock.now += 9.9
    assert not breaker.allows_request(), "it failed again: another rest"
    clock.now += 0.1
    assert breaker.allows_request()
    breaker.record_success()
    assert all(breaker.allows_request() for _ in range(3))


def test_a_trial_that_never_ends_blocks_nobody_for_ever(breaker: CircuitBreaker, clock: Clock) -> None:
    """Who was let through may be cancelled."""
    for _ in range(3):
        breaker.record_failure()
    clock.now += 10
    assert breaker.allows_request()
    clock.now += 10
    assert breaker.allows_request()


def test_one_alarm_and_one_line_at_the_end(
    breaker: CircuitBreaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(7):
        breaker.record_failure()
        clock.now += 10
    breaker.record_success()
    breaker.record_success()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            logging.ERROR,
            "icat at https://icat.example.org did not answer 3 times in a row: it is asked once every 10 s until it"
            " does",
        ),
        (logging.WARNING, "icat at https://icat.example.org answers again, after 50 s"),
    ]
