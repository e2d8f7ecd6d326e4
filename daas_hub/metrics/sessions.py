"""The sessions of this moment, as the hub's records have them, and why sessions ended."""

from __future__ import annotations

from prometheus_client import Counter

from daas_hub.metrics.collector import ComputedGauge
from daas_hub.metrics.launches import ONLY_PLACE

SESSIONS = ComputedGauge(
    "daas_sessions",
    "Sessions by application, place and state (starting, running, stopping, unknown).",
    ["application", "place", "state"],
)
ENDED = Counter(
    "daas_sessions_ended_total",
    "Sessions that ended, by cause: stopped, idle, time-limit, other.",
    ["place", "cause"],
)


def count_ended(place: str, cause: str) -> None:
    """Count a session that ended."""
    ENDED.labels(place or ONLY_PLACE, cause).inc()
