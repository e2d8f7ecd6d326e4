"""What pages and e-mails say of a launch that waits. Pure."""

from __future__ import annotations

from daas_hub.admission.estimate import Estimate
from daas_hub.admission.positions import Standing


def in_words(standing: Standing, waits: Estimate | None) -> str:
    """Return position and estimate for the owner; coarse where exact numbers would change all the time."""
    if standing.position <= _EXACT:
        where = f"You are {_ordinal(standing.position)} in line"
    else:
        where = f"About {round(standing.position, -1)} launches are before yours"
    return " ".join(filter(None, (f"{where}{_time_of(standing, waits)}", _passing(standing))))


def _time_of(standing: Standing, waits: Estimate | None) -> str:
    if waits is None and standing.reserved and not standing.running:
        return ". There is no estimate of the time: all sessions are reserved for others."
    if waits is None and not standing.running:
        # what keeps it from starting is elsewhere: the whole portal is full, or the backend
        return ". There is no estimate of the time: no session runs in this place."
    if waits is None:
        return ". There is no estimate of the time yet: too few sessions have ended."
    low, high = waits.expected_s - waits.error_s, waits.expected_s + waits.error_s
    if high < 60:
        return ", less than a minute."
    return f", about {_minutes(waits.expected_s)} ({_span(max(0.0, low), high)})."


def _passing(standing: Standing) -> str:
    """Return who may start out of turn, in sessions that are reserved."""
    count = standing.passing
    if count == 1:
        return "1 launch after yours may start first, in a session that is reserved for it."
    if count:
        shown = f"{count}" if count <= _EXACT else f"About {round(count, -1)}"
        return f"{shown} launches after yours may start first, in sessions that are reserved for them."
    return "It may start earlier, in a session that is reserved for you." if standing.may_pass else ""


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
