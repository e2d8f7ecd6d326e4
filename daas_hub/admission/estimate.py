"""How long a ticket will wait, from how long sessions have lasted, with its error. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Fewer measured sessions make no estimate.
MIN_MEASURED = 5


@dataclass(frozen=True)
class Estimate:
    """Seconds to wait: the expected value, and its standard deviation."""

    expected_s: float
    error_s: float


def estimate(position: int, running: int, durations_s: Sequence[float]) -> Estimate | None:
    """Return the wait of the ticket at a position (1 is next); None if too little was measured.

    With n sessions that last m on average, one ends every m/n. The ticket waits for as many ends as its position; if
    ends are independent of each other, the wait has a relative error of one over the square root of their number, to
    which that of the measured average is added.
    """
    if running < 1 or len(durations_s) < MIN_MEASURED:
        return None
    mean = sum(durations_s) / len(durations_s)
    expected = position * mean / running
    return Estimate(expected, expected * math.sqrt(1 / position + 1 / len(durations_s)))


def in_words(position: int, waits: Estimate | None) -> str:
    """Return the position and the estimate for the owner; coarse where exact numbers would change all the time."""
    if position <= _EXACT:
        where = f"You are {_ordinal(position)} in line"
    else:
        where = f"About {round(position, -1)} launches are before yours"
    if waits is None:
        return f"{where}. There is no estimate of the time yet: too few sessions have ended."
    low, high = waits.expected_s - waits.error_s, waits.expected_s + waits.error_s
    if high < 60:
        return f"{where}, less than a minute."
    return f"{where}, about {_minutes(waits.expected_s)} ({_span(max(0.0, low), high)})."


#: Positions that are shown exactly; beyond, every step would render the pages of hundreds of people again.
_EXACT = 20
_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def _ordinal(number: int) -> str:
    if number <= len(_WORDS):
        return _WORDS[number - 1]
    suffix = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _rounded(minutes: float) -> int:
    """Return whole minutes, in steps of a tenth or so: pages change only with these."""
    step = 1 if minutes < 10 else 5 if minutes < 90 else 30
    return max(1, round(minutes / step) * step)


def _minutes(seconds: float) -> str:
    minutes = _rounded(seconds / 60)
    if minutes >= 120:
        return f"{round(minutes / 60, 1):g} hours"
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def _span(low: float, high: float) -> str:
    if _rounded(high / 60) >= 120:
        return f"{max(0.0, round(low / 3600, 1)):g} to {round(high / 3600, 1):g} hours"
    first = 0 if low < 30 else _rounded(low / 60)
    return f"{first} to {_rounded(high / 60)} minutes"
