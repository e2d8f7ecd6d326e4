"""Launches and sessions for tests of admission."""

from __future__ import annotations

from typing import Any

from daas_hub.admission.model import Demand, Occupied

GIB = 2**30
NOW = 1_700_000_000.0


class Clock:
    """A clock that tests set."""

    now = NOW

    def __call__(self) -> float:
        return self.now


def demand(user: str = "anna", session: str = "one", **changes: Any) -> Demand:
    """A launch of the size "small": 2 CPUs, 4 GiB, 8 hours."""
    values: dict[str, Any] = {
        "application": "terminal",
        "size": "small",
        "cpus": 2.0,
        "memory_bytes": 4.0 * GIB,
        "hours": 8.0,
    }
    return Demand(user=user, session=session, **values | changes)


def running(user: str = "anna", session: str = "other", *, since: float = NOW - 3600, **changes: Any) -> Occupied:
    """A session of that size that has run for an hour."""
    return Occupied(demand(user, session, **changes), since, since)
