"""What cards and pages say of a session's end."""

from __future__ import annotations

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
        (10_900, "in 3 hours"), (7199, "in 119 minutes"), (600, "in 10 minutes"), (60, "in 1 minute"),
        (59, "in 50 seconds"), (10, "in a few seconds"), (0, "now"), (-5, "now"),
    ],
)  # fmt: skip
def test_countdowns(seconds: float, words: str) -> None:
    assert countdown(seconds) == words


def test_warnings_and_ends() -> None:
    idle, age = Outlook(Verdict.WARN, 700, Reason.IDLE), Outlook(Verdict.WARN, 700, Reason.TIME_LIMIT)
    assert warning_words(220, idle, LIMITS) == "It ends in 8 minutes, after being idle for 2 hours, unless it is used."
    assert warning_words(220, age, LIMITS) == "It ends in 8 minutes, at its time limit."
    assert end_words(Reason.IDLE, LIMITS) == "It was idle for 2 hours."
    assert end_words(Reason.TIME_LIMIT, LIMITS) == "It reached its time limit."
