"""E-mail: how many letters were sent, failed or dropped."""

from __future__ import annotations

from prometheus_client import Counter

LETTERS = Counter("daas_mail_letters_total", "Letters to people: sent, failed, dropped, no_address.", ["outcome"])


def count_mail(outcome: str) -> None:
    """Count a letter; `outcome` is one of those in the help text."""
    LETTERS.labels(outcome).inc()
