"""What a page says of its last question: kept if it is a duration, and not too often."""

from __future__ import annotations

import pytest

from daas_hub.session import clock
from daas_hub.session.round_trips import EVERY_S, MAX_KEPT, RoundTrips


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which the clock is later; tests change it."""
    shift, began = [0.0], clock.now()
    monkeypatch.setattr(clock, "now", lambda: began + shift[0])
    return shift


@pytest.mark.parametrize(
    "text", [None, "", "fast", "nan", "inf", "-1", "0", "60001", "1e400", "12 ms", "0x10", "42\u0660\u0660\u0660\u0660"]
)
def test_what_is_no_duration_is_not_kept(text: str | None) -> None:
    trips = RoundTrips()
    trips.note(text)
    assert trips.take() == []
    trips.note("42.5")
    assert trips.take() == [0.0425], "and it takes nobody's turn"


def test_one_in_ten_seconds_from_all_pages_together(later: list[float]) -> None:
    trips = RoundTrips()
    for _ in range(3):
        trips.note("10")
    assert trips.take() == [0.01]
    later[0] += EVERY_S
    trips.note("20")
    assert trips.take() == [0.02]
    assert trips.take() == []


def test_no_more_are_kept_than_are_reported_at_once(later: list[float]) -> None:
    trips = RoundTrips()
    for number in range(1, 20):
        trips.note(str(number))
        later[0] += EVERY_S
    assert trips.take() == [number / 1000 for number in range(20 - MAX_KEPT, 20)], "the latest"
