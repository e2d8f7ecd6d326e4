"""Questions to services are measured, and counted where there is no answer."""

from __future__ import annotations

import contextlib

import pytest
from prometheus_client import REGISTRY

from daas_hub.errors import ErrorKind, Refused, SourceUnavailable
from daas_hub.services.circuit_breaker import CircuitBreaker
from daas_hub.services.measuring import count_rejected, host_of, measured_requests


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://icat.example.org/services", "icat.example.org"),
        ("https://portal:secret@icat.example.org:8443/a?b=c", "icat.example.org:8443"),
        ("keycloak.example.org", "keycloak.example.org"),
        ("ldaps://ldap1.example.org:636", "ldap1.example.org:636"),
        ("[::1]:9000", "[::1]:9000"),
    ],
)
def test_a_host_is_all_that_a_label_says_of_an_address(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("problem", "errors"),
    [
        (None, 0),
        (SourceUnavailable("Down.", kind=ErrorKind.TIMEOUT), 1),
        (SourceUnavailable("Too many.", kind=ErrorKind.TOO_MANY_RECORDS), 0),
        (SourceUnavailable("Locked.", kind=ErrorKind.ACCOUNT_CLOSED), 0),
        (Refused("No account."), 0),
    ],
    ids=["an answer", "none", "too many", "a locked account", "a refusal"],
)
def test_an_answer_is_not_an_error(problem: Exception | None, errors: int) -> None:
    kind = getattr(problem, "kind", "")
    labels = {"source": "login_provider", "host": "id.example.org"}
    before = value("daas_source_request_duration_seconds_count", **labels)
    failed = value("daas_source_errors_total", **labels, kind=kind)
    with contextlib.suppress(SourceUnavailable, Refused), measured_requests("login provider", "id.example.org"):
        if problem is not None:
            raise problem
    assert value("daas_source_request_duration_seconds_count", **labels) == before + 1
    assert value("daas_source_errors_total", **labels, kind=kind) == failed + errors


def test_what_is_not_asked_has_no_duration() -> None:
    labels = {"source": "icat", "host": "silent.example.org"}
    count_rejected("icat", "silent.example.org")
    assert value("daas_source_errors_total", **labels, kind="circuit_open") == 1
    assert REGISTRY.get_sample_value("daas_source_request_duration_seconds_count", labels) is None


def test_a_breaker_is_read_when_it_is_asked_for() -> None:
    labels = {"source": "icat", "host": "icat.example.org"}
    breaker = CircuitBreaker("icat", source="icat", host="icat.example.org", failure_threshold=1)
    assert REGISTRY.get_sample_value("daas_source_circuit_open", labels) == 0
    breaker.record_failure()
    assert REGISTRY.get_sample_value("daas_source_circuit_open", labels) == 1
    breaker.record_success()
    assert REGISTRY.get_sample_value("daas_source_circuit_open", labels) == 0
    del breaker
    assert REGISTRY.get_sample_value("daas_source_circuit_open", labels) is None
