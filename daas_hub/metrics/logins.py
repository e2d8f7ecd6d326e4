"""Logins, by login method."""

from __future__ import annotations

from prometheus_client import Counter

LOGINS = Counter("daas_logins_total", "Successful logins.", ["method"])
FAILURES = Counter("daas_login_failures_total", "Logins that were refused or not verified.", ["method", "reason"])


def count_login(method: str) -> None:
    """Count a successful login."""
    LOGINS.labels(method).inc()


def count_failure(method: str, reason: str) -> None:
    """Count a login that failed; `reason` is that of the error."""
    FAILURES.labels(method, reason).inc()
