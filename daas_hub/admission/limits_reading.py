"""Reads the dictionaries of the settings: each value is checked, and a wrong one named."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from daas_hub.admission.backend_capacity import Asked
from daas_hub.admission.limits import Limits
from daas_hub.catalogue.reader import memory_bytes
from daas_hub.errors import ConfigurationError

_CAPACITY = ("sessions", "cpus", "memory", "gpus")
_LIMIT_NAMES = {"memory": "memory_bytes"} | {name: name for name in ("sessions", "cpus", "gpus")}
_HOURS = ("hours", "days")
#: The value of what the backend is asked for.
ASK = "ask"
_RESERVE = "reserve"


def wrong(setting: str, value: object, message: str, remedy: str) -> ConfigurationError:
    """Return an error about a setting."""
    return ConfigurationError(setting, value, message, remedy=remedy)


class DictReader:
    """Reads one dictionary.

    Raises:
        ConfigurationError: it is not a dictionary. So do the methods, for a value of the wrong kind.
    """

    def __init__(self, where: str, given: Any) -> None:
        if not isinstance(given, Mapping):
            raise wrong(where, given, "is not a dictionary", 'Example: {"sessions": 4}.')
        self.where = where
        self.given = given

    def require_known(self, keys: Sequence[str]) -> None:
        """Check that it has no other keys than these: a misspelt limit would be no limit."""
        for key in self.given:
            if key not in keys:
                near = get_close_matches(str(key), keys, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(keys)}."
                raise wrong(f"{self.where}[{key!r}]", "(set)", "there is no such key", remedy)

    def number(self, key: str, otherwise: float) -> float:
        """Return a positive number."""
        value = self.given.get(key, otherwise)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise wrong(f"{self.where}[{key!r}]", value, "is not a number above 0", "Remove the key for no limit.")
        return value

    def count(self, key: str) -> int:
        """Return a whole number from 0 on."""
        value = self.given.get(key)
        if type(value) is not int or value < 0:
            raise wrong(f"{self.where}[{key!r}]", value, "is not a whole number from 0", "Remove the key for no limit.")
        return value

    def names(self, key: str) -> frozenset[str]:
        """Return a list of names; without the key, none."""
        value = self.given.get(key)
        if value is None:
            return frozenset()
        # an empty list would read as nothing, and mean everything
        if not isinstance(value, list | tuple) or not value or not all(isinstance(one, str) and one for one in value):
            remedy = "Name at least one, or remove the key."
            raise wrong(f"{self.where}[{key!r}]", value, "is not a list of names", remedy)
        return frozenset(value)

    def moment(self, key: str, zone: datetime.tzinfo) -> float:
        """Return a time in seconds since 1970; one without a zone is in `zone`."""
        value = self.given.get(key)
        try:
            found = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(str(value))
        except ValueError:
            remedy = 'Example: "2026-09-01T09:00".'
            raise wrong(f"{self.where}[{key!r}]", value, "is not a date and time", remedy) from None
        return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()


def limits_of(where: str, given: Any, *, others: Sequence[str] = (), has_hours: bool = True) -> Limits:
    """Return the limits of a dictionary.

    Args:
        others: keys that it may have in addition.
        has_hours: whether hours can be limited there.

    Raises:
        ConfigurationError: a limit is not valid.
    """
    reader = DictReader(where, given)
    reader.require_known((*_CAPACITY, *(_HOURS if has_hours else ()), *others))
    if "days" in reader.given and "hours" not in reader.given:
        raise wrong(f"{where}['days']", given["days"], "has no effect without `hours`", "Set both, or remove it.")
    return Limits(
        sessions=reader.count("sessions") if "sessions" in given else None,
        cpus=reader.number("cpus", 1) if "cpus" in given else None,
        memory_bytes=_memory(reader) if "memory" in given else None,
        gpus=reader.count("gpus") if "gpus" in given else None,
        hours=reader.number("hours", 1) if "hours" in given else None,
        days=reader.number("days", 30.0),
    )


def capacity_of(where: str, given: Any) -> tuple[Limits, Asked | None]:
    """Return the limits of a place, and what its backend is asked for; None for nothing.

    Raises:
        ConfigurationError: a limit is not valid.
    """
    reader = DictReader(where, given)
    asked = frozenset(_LIMIT_NAMES[key] for key in _CAPACITY if given.get(key) == ASK)
    configured = {key: value for key, value in given.items() if value != ASK or key not in _CAPACITY}
    reserve = configured.pop(_RESERVE, None)
    limits = limits_of(where, configured)
    if not asked:
        if reserve is not None:
            remedy = 'Example: {"memory": "ask", "reserve": {"memory": "4 GiB"}}.'
            raise wrong(f"{reader.where}['reserve']", reserve, 'has no effect without an "ask"', remedy)
        return limits, None
    return limits, Asked(asked, None if reserve is None else _reserve_of(f"{where}['reserve']", reserve))


def _reserve_of(where: str, given: Any) -> Limits:
    """Return what is kept from sessions; 0 is nothing."""
    reader = DictReader(where, given)
    return limits_of(where, {key: value for key, value in reader.given.items() if value != 0}, has_hours=False)


def _memory(reader: DictReader) -> float:
    value = reader.given["memory"]
    try:
        return memory_bytes(str(value))
    except ValueError:
        remedy = 'Example: "64 GiB".'
        raise wrong(f"{reader.where}['memory']", value, "is not an amount of memory", remedy) from None
