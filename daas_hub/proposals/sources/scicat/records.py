"""SciCat's proposals as the reader wants them: instruments by name, and visits with numbers that last. Pure."""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from daas_hub.proposals.reading import time_of
from daas_hub.services.outside_text import printable

#: A period's number is the day of its start, YYMMDD, and three digits from 002: 1 is a proposal without periods.
_FIRST_DIGITS, _LAST_DIGITS = 2, 999
#: How often two periods of a day with the same digits are given others.
_MAX_TRIES = 5
MAX_NAME = 64
#: Marks the period that stands for a whole proposal.
_WHOLE = "is_whole"


def instrument_names(rows: list[Any], field: str) -> dict[str, str]:
    """Return the names of instruments by id."""
    return {
        row["pid"]: name
        for row in rows
        if isinstance(row, dict)
        and isinstance(row.get("pid"), str)
        and isinstance(row.get(field), str)
        and (name := printable(row[field], MAX_NAME))
    }


def with_periods(record: Any) -> Any:
    """Return a proposal with at least one period; the only one of a proposal without any has the key `is_whole`."""
    if not isinstance(record, dict):
        return record
    periods = record.get("MeasurementPeriodList")
    if isinstance(periods, list) and periods:
        return record
    whole = {"start": record.get("startTime"), "end": record.get("endTime"), _WHOLE: True}
    return record | {"MeasurementPeriodList": [whole]}


def prepared(record: Any, instruments: Mapping[str, str], *, keeps_group: bool = True, is_alone: bool = True) -> Any:
    """Return a proposal with names instead of ids of instruments, and with numbered periods.

    Args:
        keeps_group: whether the account is in its group; staff of an instrument usually is not.
        is_alone: whether no other record is joined with this one, because each has its own id.
    """
    if not isinstance(record, dict):
        return record
    found = dict(with_periods(record))
    if not keeps_group:
        found["ownerGroup"] = None
    ids = record.get("instrumentIds")
    names = [_named(one, instruments) for one in ids] if isinstance(ids, list) else []
    found["instrumentIds"] = names
    periods = found["MeasurementPeriodList"]
    whole = periods[0] if isinstance(periods[0], dict) and periods[0].get(_WHOLE) is True else None
    if whole is not None:
        # unless it has exactly one, nobody knows at which instrument it was
        instrument = names[0] if len(names) == 1 else None
        key = 1 if is_alone else _key_of((str(record.get("proposalId")), "", _identity(whole)[2]), 0)
        found["MeasurementPeriodList"] = [whole | {"instrument": instrument, "number": 1, "key": key}]
        return found
    found["MeasurementPeriodList"] = numbered(
        [
            one | {"instrument": _named(one.get("instrument"), instruments)} if isinstance(one, dict) else one
            for one in periods
        ]
    )
    return found


def numbered(periods: list[Any]) -> list[Any]:
    """Return periods with a field `key`, the visit's number, and `number`, their position now.

    The position changes when a period is put in front, and SciCat gives periods no ids (`_id` is null). So the number
    is made of what makes a period this one: its start and its instrument. A link to a period that was rescheduled means
    no visit any more, never another one.
    """
    identities = [_identity(one) if isinstance(one, dict) else None for one in periods]
    keys: dict[tuple[str, str, int], int] = {}
    left = {one for one in identities if one is not None}
    for attempt in range(_MAX_TRIES):
        keys |= {one: _key_of(one, attempt) for one in left}
        counts = Counter(keys.values())
        left = {one for one in left if counts[keys[one]] > 1}
    return [
        one if identity is None else {"number": position} | one | {"key": keys[identity]}
        for position, (one, identity) in enumerate(zip(periods, identities, strict=True), 1)
    ]


def _identity(period: dict[str, Any]) -> tuple[str, str, int]:
    """Return start, instrument and day (YYMMDD; 0 without a date) of a period."""
    start = period.get("start")
    day = 0
    try:
        if (moment := time_of(start)) is not None:
            moment = moment.astimezone(datetime.UTC)
            start, day = moment.isoformat(), int(f"{moment:%y%m%d}")
    except (ValueError, OverflowError):
        pass
    return str(start), str(period.get("instrument")), day


def _key_of(identity: tuple[str, str, int], attempt: int) -> int:
    start, instrument, day = identity
    digest = hashlib.sha256(f"{attempt}\0{start}\0{instrument}".encode(errors="replace")).digest()
    return day * 1000 + _FIRST_DIGITS + int.from_bytes(digest[:8]) % (_LAST_DIGITS - _FIRST_DIGITS + 1)


def _named(instrument: Any, names: Mapping[str, str]) -> Any:
    return names.get(instrument, instrument) if isinstance(instrument, str) else instrument
