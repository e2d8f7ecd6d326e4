"""Why a session of a cluster waits, ended, or was refused: statuses, events and refusals become sentences. Pure.

An owner reads what it means and what to do. What Kubernetes itself said names nodes, quotas and other people's labels:
it is for the administrators' log alone.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daas_hub.errors import SessionFailed


class ReasonKind(enum.StrEnum):
    """What kind of reason it is, for programs and metrics."""

    MEMORY = "memory"
    EVICTED = "evicted"
    UNSCHEDULABLE = "unschedulable"
    IMAGE = "image"
    CONFIGURATION = "configuration"
    STORAGE = "storage"
    QUOTA = "quota"
    POLICY = "policy"
    NODE = "node"
    NAME = "name"
    OVERLOAD = "overload"
    RIGHTS = "rights"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes:
        sentence, remedy: for the owner.
        raw: what Kubernetes said, for administrators.
        is_final: waiting does not help: the start fails, or the session is over.
    """

    kind: ReasonKind
    sentence: str
    remedy: str = ""
    raw: str = ""
    is_final: bool = False

    def as_error(self) -> SessionFailed:
        """Return it as the failure of a start; the log has what Kubernetes said."""
        return SessionFailed(self.sentence, remedy=self.remedy, detail=self.raw)


def reason_of_pod(pod: Mapping[str, Any]) -> Reason | None:
    """Return why a pod waits or ended, from its status; None while there is nothing to say.

    Args:
        pod: as in the API's JSON.
    """
    return None


def reason_of_event(event: Mapping[str, Any]) -> Reason | None:
    """Return why a pod or its claim waits, from an event of the API's JSON; None for one that says nothing of that."""
    return None


def reason_of_refusal(status: int, body: Mapping[str, Any] | str) -> Reason:
    """Return why the API server refused a request.

    Args:
        status: of HTTP.
        body: the answer: a `Status` of the API's JSON, or its text.
    """
    text = body if isinstance(body, str) else str(body.get("message", ""))
    return Reason(
        ReasonKind.UNKNOWN,
        "The cluster refused to start this session.",
        "Please tell the administrators; the hub's log says more.",
        f"{status}: {text}",
        is_final=True,
    )
