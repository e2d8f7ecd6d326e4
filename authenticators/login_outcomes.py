"""Counts logins and their failures, and records them in the audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from daas_hub.audit.events import record_login
from daas_hub.errors import Refused, SourceUnavailable
from daas_hub.metrics.logins import count_failure, count_login


@contextmanager
def refusals_noted(method: str, address: str) -> Iterator[None]:
    """Note a refusal of the login within, with its reason."""
    try:
        yield
    except (Refused, SourceUnavailable) as problem:
        note_refusal(method, problem.reason, address)
        raise


def note_refusal(method: str, reason: str, address: str) -> None:
    """Note that a login was refused. Nobody is named: it may be anybody's name that was typed."""
    count_failure(method, reason)
    record_login("refused", method, reason=reason, address=address)


def note_login(method: str, model: Mapping[str, Any], account: str, address: str) -> None:
    """Note a login, by the hub's model of it."""
    count_login(method)
    roles = ["admin"] if model["admin"] else []
    record_login("signed-in", method, user=model["name"], account=account, roles=roles, address=address)
