"""Launches: how long each stage takes, and how they end."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Histogram

#: A place has a name only where the portal has several.
ONLY_PLACE = "default"

#: From 10 ms (a check) to 20 minutes (an image that is pulled).
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200)

STAGE_DURATION = Histogram(
    "daas_launch_stage_duration_seconds",
    "Duration of a stage of a successful launch: authorise, prepare, admit, start, respond, route.",
    ["stage", "place", "application_kind"],
    buckets=_BUCKETS,
)
STARTED = Counter("daas_launches_started_total", "Launches that gave a session.", ["place", "application_kind"])
REFUSALS = Counter("daas_launch_refusals_total", "Launches that a rule refused.", ["reason", "kind"])
FAILURES = Counter("daas_launch_failures_total", "Launches that failed.", ["reason", "kind", "place"])


def count_started(place: str, application_kind: str, stages: Mapping[str, float]) -> None:
    """Count a launch that gave a session.

    Args:
        stages: seconds by stage.
    """
    STARTED.labels(place or ONLY_PLACE, application_kind).inc()
    for stage, seconds in stages.items():
        STAGE_DURATION.labels(stage, place or ONLY_PLACE, application_kind).observe(seconds)


def count_refused(reason: str, kind: str) -> None:
    """Count a launch that a rule refused; `reason` and `kind` are those of the error."""
    REFUSALS.labels(reason, kind).inc()


def count_failed(reason: str, kind: str, place: str) -> None:
    """Count a launch that failed; `reason` and `kind` are those of the error."""
    FAILURES.labels(reason, kind, place or ONLY_PLACE).inc()
