"""E-mail: how many messages were sent, failed or dropped."""

from __future__ import annotations

from prometheus_client import Counter

MESSAGES = Counter("daas_mail_messages_total", "Messages to people: sent, failed, dropped, no_address.", ["outcome"])


def count_mail(outcome: str) -> None:
    """Count a message; `outcome` is one of those in the help text."""
    MESSAGES.labels(outcome).inc()
