"""What cards and pages say of a session's end."""

from __future__ import annotations

import re

import pytest

from daas_hub.lifetime import Limits, Outlook, Reason, Verdict, countdown, duration, end_words, warning_words

LIMITS = Limits(idle_s=7200)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (172_800, "2 days"), (7200, "2 hours"), (3600, "1 hour"), (5400, "90 minutes"), (60, "1 minute"),
        (21, "21 seconds"), (0, "0 seconds"),
    ],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (43_200, "in 12 hours"), (43_199, "in 12 hours"), (43_140, "in 12 hours"), (43_139, "in 11 hours 50 minutes"),
        (41_400, "in 11 hours 30 minutes"), (40_200, "in 11 hours 10 minutes"), (10_900, "in 3 hours"),
        (7200, "in 2 hours"), (7199, "in 2 hours"), (7140, "in 2 hours"), (7139, "in 118 minutes"),
        (600, "in 10 minutes"), (60, "in 1 minute"),
        (59, "in 50 seconds"), (10, "in a few seconds"), (0, "now"), (-5, "now"),
    ],
)  # fmt: skip
def test_countdowns(seconds: float, words: str) -> None:
    assert countdown(seconds) == words


def seconds_in(words: str) -> int:
    """Return the time that a countdown promises."""
    units = {"second": 1, "minute": 60, "hour": 3600}
    found = re.findall(r"(\d+) (second|minute|hour)", words)
    return sum(int(number) * units[unit] for number, unit in found)


def test_a_countdown_promises_no_more_than_there_is() -> None:
    for left in range(11, 100_000):
        promised = seconds_in(countdown(left))
        assert promised <= left + (60 if left >= 7000 else 0), left
        assert promised > left * 0.5, left


def test_warnings_and_ends() -> None:
    idle, age = Outlook(Verdict.WARN, 700, Reason.IDLE), Outlook(Verdict.WARN, 700, Reason.TIME_LIMIT)
    assert warning_words(220, idle, LIMITS) == "It ends in 8 minutes, after being idle for 2 hours, unless it is used."
    assert warning_words(220, age, LIMITS) == "It ends in 8 minutes, at its time limit."
    assert end_words(Reason.IDLE, LIMITS) == "It was idle for 2 hours."
    assert end_words(Reason.TIME_LIMIT, LIMITS) == "It reached its time limit."
