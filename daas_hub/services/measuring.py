"""Measures questions to services, for `daas_hub.metrics.sources`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from daas_hub.errors import ErrorKind, SourceUnavailable
from daas_hub.metrics.sources import count_error, measured

#: The service answered, and something about the person or the amount is wrong.
_ANSWERS = (ErrorKind.ACCOUNT_CLOSED, ErrorKind.TOO_MANY_RECORDS)


def host_of(url: str) -> str:
    """Return host and port of a service's address, which may be just that."""
    return urlsplit(url if "://" in url else f"//{url}").netloc.rpartition("@")[2]


@contextmanager
def question(source: str, host: str) -> Iterator[None]:
    """Measure the duration of what is asked within, and count it if the service does not answer."""
    try:
        with measured(source, host):
            yield
    except SourceUnavailable as problem:
        if problem.kind not in _ANSWERS:
            count_error(source, host, problem.kind)
        raise


def count_not_asked(source: str, host: str) -> None:
    """Count a question that a circuit breaker stopped; it has no duration."""
    count_error(source, host, ErrorKind.CIRCUIT_OPEN)
