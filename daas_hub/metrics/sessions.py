"""The sessions of this moment, as the hub's records have them."""

from __future__ import annotations

from daas_hub.metrics.collector import ComputedGauge

SESSIONS = ComputedGauge(
    "daas_sessions",
    "Sessions by application, place and state (starting, running, stopping, unknown).",
    ["application", "place", "state"],
)
