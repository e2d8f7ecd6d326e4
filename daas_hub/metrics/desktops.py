"""Desktops: how long the page of one waits for its session."""

from __future__ import annotations

from prometheus_client import Histogram

from daas_hub.metrics.launches import ONLY_PLACE

ROUND_TRIP = Histogram(
    "daas_desktop_round_trip_seconds",
    "Round trip from a desktop's page to its session, as the page measured it.",
    ["application", "place"],
    buckets=(0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10),
)


def observe_round_trip(application: str, place: str, seconds: float) -> None:
    """Count a round trip; the application is one of the catalogue."""
    ROUND_TRIP.labels(application, place or ONLY_PLACE).observe(seconds)
