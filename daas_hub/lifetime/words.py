"""What cards and pages say of a session's end. Pure."""

from __future__ import annotations

from daas_hub.lifetime.decision import Outlook, Reason
from daas_hub.lifetime.limits import Limits

#: From here on the time that is left is in hours, rounded down to ten minutes.
_IN_HOURS_S = 2 * 3600 - 60
#: What a start takes.
_START_S = 60


def duration(seconds: float) -> str:
    """Return a length of time: "2 hours", "90 minutes", "30 seconds"."""
    rounded = max(0, round(seconds))
    for unit_s, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if rounded and rounded % unit_s == 0:
            return _count(rounded // unit_s, unit)
    return _count(rounded, "second")


def countdown(seconds: float) -> str:
    """Return the time that is left, exact enough to act on: "in 3 hours", "in 8 minutes", "in 40 seconds".

    It is never more than is left, except for the minute that a session of some hours needs to start: one of twelve
    hours does not end "in 11 hours".
    """
    if seconds <= 10:
        return "now" if seconds <= 0 else "in a few seconds"
    if seconds < 60:
        return f"in {_count(int(seconds) // 10 * 10, 'second')}"
    if seconds < _IN_HOURS_S:
        return f"in {_count(int(seconds) // 60, 'minute')}"
    hours, minutes = divmod(int(seconds + _START_S) // 600 * 10, 60)
    return f"in {_count(hours, 'hour')}" + (f" {_count(minutes, 'minute')}" if minutes else "")


def warning_words(now: float, outlook: Outlook, limits: Limits) -> str:
    """Return the announcement of a session's end."""
    when = countdown(outlook.ends - now)
    if outlook.reason is Reason.IDLE:
        return f"It ends {when}, after being idle for {duration(limits.idle_s)}, unless it is used."
    return f"It ends {when}, at its time limit."


def end_words(reason: Reason | None, limits: Limits) -> str:
    """Return why a session ended."""
    if reason is Reason.IDLE:
        return f"It was idle for {duration(limits.idle_s)}."
    return "It reached its time limit."


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
