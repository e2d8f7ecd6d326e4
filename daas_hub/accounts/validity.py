"""Until when an account may be used: how an end date is written, when it has passed, and the words for it. Pure.

A date counts to its last moment at the facility: an account that ends on 31 December can be used until midnight there.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable
from contextlib import suppress

#: A date, or a moment; one without a time zone is in the facility's.
End = datetime.date

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
#: As a number: seconds since 1970. Smaller ones are rather days, or a date without its dashes.
_LEAST_EPOCH_S, _MOST_EPOCH_S = 1_000_000_000, 253_402_300_799


def read_end(value: object) -> End:
    """Return the end that a source states: a date or moment in ISO 8601, or seconds since 1970.

    Raises:
        ValueError: it is anything else.
    """
    if isinstance(value, datetime.date):
        return value
    if isinstance(value, str) and value.isdecimal() and value.isascii():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if _LEAST_EPOCH_S <= value <= _MOST_EPOCH_S:
            return datetime.datetime.fromtimestamp(value, datetime.UTC)
    elif isinstance(value, str):
        text = value.strip()
        with suppress(ValueError):
            if _DATE.fullmatch(text):
                return datetime.date.fromisoformat(text)
            if _MOMENT.fullmatch(text):
                return datetime.datetime.fromisoformat(text)
    raise ValueError('is not a date, like "2026-12-31"')


def ends_at(end: End, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the first moment after the end."""
    if isinstance(end, datetime.datetime):
        return end if end.tzinfo else end.replace(tzinfo=zone)
    if end == datetime.date.max:
        return datetime.datetime.max.replace(tzinfo=datetime.UTC)
    # not 24 hours after its beginning: a day has 23 or 25 of them when the clocks change
    return datetime.datetime.combine(end + datetime.timedelta(days=1), datetime.time(), zone)


def earliest(ends: Collection[End], zone: datetime.tzinfo) -> End | None:
    """Return the end that comes first; None without any."""
    return min(ends, key=lambda one: ends_at(one, zone).timestamp(), default=None)


def latest(ends: Iterable[End], zone: datetime.tzinfo) -> End | None:
    """Return the end that comes last; None without any."""
    return max(ends, key=lambda one: ends_at(one, zone).timestamp(), default=None)


def end_text(end: End, zone: datetime.tzinfo) -> str:
    """Return an end at the facility: "31 December 2026", or "31 December 2026, 14:30 CET"."""
    if not isinstance(end, datetime.datetime):
        return f"{end.day} {end:%B %Y}"
    moment = ends_at(end, zone).astimezone(zone)
    return f"{moment.day} {moment:%B %Y}, {moment:%H:%M %Z}"


def days_text(end: End, now: datetime.datetime, zone: datetime.tzinfo) -> str:
    """Return how many days are left, by the facility's calendar: "today", "tomorrow", "in 3 days"."""
    last = ends_at(end, zone).astimezone(zone)
    day = last.date() if isinstance(end, datetime.datetime) else end
    days = (day - now.astimezone(zone).date()).days
    return "today" if days <= 0 else "tomorrow" if days == 1 else f"in {days} days"
