"""Counts logins for `daas_hub.metrics.logins`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daas_hub.errors import Refused, SourceUnavailable
from daas_hub.metrics.logins import count_failure, count_login


@contextmanager
def counted(method: str) -> Iterator[None]:
    """Count what happens within as a login, or as a failure with the reason of its error."""
    try:
        yield
    except (Refused, SourceUnavailable) as problem:
        count_failure(method, problem.reason)
        raise
    count_login(method)
