"""Metrics of requests to services, for `daas_hub.metrics.sources`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from daas_hub.errors import ErrorKind, SourceUnavailable
from daas_hub.metrics.sources import count_error, measured

#: Problems with the person or the amount; the service itself answered.
_NO_FAILURES = (ErrorKind.ACCOUNT_CLOSED, ErrorKind.TOO_MANY_RECORDS)


def host_of(url: str) -> str:
    """Return the host and port of a URL, or of an address without a scheme."""
    return urlsplit(url if "://" in url else f"//{url}").netloc.rpartition("@")[2]


@contextmanager
def measured_requests(source: str, host: str) -> Iterator[None]:
    """Measure the duration of the block; count an error if the service is unavailable."""
    try:
        with measured(source, host):
            yield
    except SourceUnavailable as problem:
        if problem.kind not in _NO_FAILURES:
            count_error(source, host, problem.kind)
        raise


def count_rejected(source: str, host: str) -> None:
    """Count a request that an open circuit rejected; it has no duration."""
    count_error(source, host, ErrorKind.CIRCUIT_OPEN)
