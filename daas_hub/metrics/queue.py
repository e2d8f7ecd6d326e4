"""The queue: how many launches wait, and for how long."""

from __future__ import annotations

from daas_hub.metrics.collector import ComputedGauge

WAITING = ComputedGauge("daas_queue_tickets", "Launches that wait in the queue.", ["place"])
OLDEST = ComputedGauge(
    "daas_queue_oldest_ticket_age_seconds", "How long the oldest waiting launch has waited.", ["place"]
)
