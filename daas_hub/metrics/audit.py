"""The audit: events that could not be written."""

from __future__ import annotations

from prometheus_client import Counter

UNWRITTEN = Counter("daas_audit_unwritten_events_total", "Events of the audit that could not be written.")


def count_unwritten() -> None:
    """Count an event that could not be written."""
    UNWRITTEN.inc()
