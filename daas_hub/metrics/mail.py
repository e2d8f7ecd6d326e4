"""E-mail: how many messages were sent, failed or dropped."""

from __future__ import annotations

from prometheus_client import Counter

OUTCOMES = ("sent", "failed", "dropped", "no_address")
MESSAGES = Counter("daas_mail_messages_total", "Messages to people: sent, failed, dropped, no_address.", ["outcome"])
# from the beginning: what never failed is 0, and not without data
for _outcome in OUTCOMES:
    MESSAGES.labels(_outcome)


def count_mail(outcome: str) -> None:
    """Count a message; `outcome` is one of `OUTCOMES`."""
    MESSAGES.labels(outcome).inc()
