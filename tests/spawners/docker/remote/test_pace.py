"""A far end cannot keep the hub busy with small packets; one that sends pictures is not slowed down."""

from __future__ import annotations

import pytest

from daas_hub.spawners.docker.remote.pace import BUSY_S, MAX_BYTES, MAX_MESSAGES, MESSAGE_S, MIN_BYTES, REST, Pace


class Clock:
    """Processor time of a reader that costs some for each byte; read before and after a step."""

    def __init__(self, cost_s: float) -> None:
        self.cost_s, self.now, self.is_second = cost_s, 0.0, False
        self.pace = Pace(self)

    def __call__(self) -> float:
        if self.is_second:
            self.now += self.pace.size * self.cost_s
        self.is_second = not self.is_second
        return self.now


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that are made."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        if seconds:
            made.append(seconds)

    monkeypatch.setattr("daas_hub.spawners.docker.remote.pace.asyncio.sleep", sleep)
    return made


async def test_cheap_bytes_are_passed_on_whole_and_at_once(pauses: list[float]) -> None:
    clock = Clock(cost_s=1e-9)
    for _ in range(100):
        await clock.pace.passed(clock.pace.size)
    assert pauses == []
    assert clock.pace.size == MAX_BYTES


async def test_expensive_bytes_leave_most_of_the_time_to_others(pauses: list[float]) -> None:
    """0.14 us a byte, as measured with empty SSH messages."""
    clock = Clock(cost_s=1.4e-7)
    steps = []
    for _ in range(200):
        before = clock.now
        await clock.pace.passed(clock.pace.size)
        steps.append(clock.now - before)
    assert sum(pauses) > 1.5 * sum(steps)
    assert max(steps[10:]) < 2 * BUSY_S + 1e-9
    assert MIN_BYTES <= clock.pace.size < MAX_BYTES


async def test_many_messages_cost_something_however_small(pauses: list[float]) -> None:
    """What the engine's stream costs is not seen by the clock: one byte to the standard error is a message, too."""
    clock = Clock(cost_s=0)
    for _ in range(MAX_MESSAGES - 1):
        await clock.pace.passed(0)
    assert pauses == []
    await clock.pace.passed(0)
    assert pauses == [pytest.approx(MAX_MESSAGES * MESSAGE_S * REST)]


def test_it_recovers() -> None:
    pace = Pace()
    for _ in range(10):
        assert pace.pause_after(1.0) == REST
    assert pace.size == MIN_BYTES
    for _ in range(10):
        assert pace.pause_after(0.0) == 0
    assert pace.size == MAX_BYTES
