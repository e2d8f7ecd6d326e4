"""The services that the portal asks: for accounts, proposals and logins."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from daas_hub.metrics.collector import ComputedGauge

DURATION = Histogram(
    "daas_source_request_duration_seconds",
    "Duration of a request to a service (including its login and further pages).",
    ["source", "host"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ERRORS = Counter("daas_source_errors_total", "Requests to a service that failed.", ["source", "host", "kind"])


def label_of(source: str) -> str:
    """Return the label of a source: "login provider" is login_provider."""
    return source.replace(" ", "_")


@contextmanager
def measured(source: str, host: str) -> Iterator[None]:
    """Measure a question that is asked within; one that raises is counted by `count_error`."""
    began = time.perf_counter()
    try:
        yield
    finally:
        DURATION.labels(label_of(source), host).observe(time.perf_counter() - began)


def count_error(source: str, host: str, kind: str) -> None:
    """Count a question without an answer; `kind` is that of the error."""
    ERRORS.labels(label_of(source), host, kind).inc()


CIRCUIT_OPEN = ComputedGauge(
    "daas_source_circuit_open",
    "1 while no requests are sent to a service, because it failed several times in a row.",
    ["source", "host"],
)
