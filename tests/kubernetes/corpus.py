"""What a cluster says, in the form of its API; `corpus.yaml` has the texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from daas_hub.spawners.kubernetes.reasons import ReasonKind

FINISHED = "2026-11-30T14:02:00Z"


@dataclass(frozen=True)
class Entry:
    """One thing that a cluster says.

    Attributes:
        answer: a pod, an event, or a refusal (status of HTTP, and message).
        words: in the sentence for the owner.
    """

    name: str
    answer: Any
    kind: ReasonKind
    is_final: bool
    words: str


def unscheduled(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"status": {"phase": "Pending", "conditions": [condition]}}


def event(reason: str, message: str, type_: str = "Warning") -> dict[str, Any]:
    return {"kind": "Event", "type": type_, "reason": reason, "message": message}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return {"status": {"phase": "Pending", "containerStatuses": [{"name": "session", "state": state}]}}


def ended(reason: str, code: int, message: str = "", name: str = "session") -> dict[str, Any]:
    state = {"terminated": {"reason": reason, "exitCode": code, "message": message, "finishedAt": FINISHED}}
    statuses = "containerStatuses" if name == "session" else "initContainerStatuses"
    return {
        "spec": {"containers": [{"name": "session", "resources": {"limits": {"memory": str(2 * 2**30)}}}]},
        "status": {"phase": "Failed", statuses: [{"name": name, "state": state}]},
    }


def failed(reason: str, message: str) -> dict[str, Any]:
    # the kubelet may leave a container's status as it was
    waits = {"name": "session", "state": {"waiting": {"reason": "ContainerCreating"}}}
    status = {"phase": "Failed", "reason": reason, "message": message, "containerStatuses": [waits]}
    return {"status": status}


def disrupted(reason: str, message: str) -> dict[str, Any]:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    return {"status": {"phase": "Running", "conditions": [condition]}}


def _answer(entry: Mapping[str, Any]) -> Any:
    message = entry.get("message", "")
    match entry:
        case {"refusal": status}:
            return status, message
        case {"event": reason}:
            return event(reason, message, entry.get("type", "Warning"))
        case {"unscheduled": text}:
            return unscheduled(text)
        case {"waiting": reason}:
            return waiting(reason, message)
        case {"failed": reason}:
            return failed(reason, message)
        case {"disrupted": reason}:
            return disrupted(reason, message)
    return ended(entry["ended"], entry["exit_code"], message, entry.get("container", "session"))


def _read() -> list[Entry]:
    entries = yaml.safe_load(Path(__file__).with_name("corpus.yaml").read_text())
    return [Entry(one["name"], _answer(one), ReasonKind(one["kind"]), one["final"], one["words"]) for one in entries]


CORPUS = _read()
REFUSALS = [one for one in CORPUS if isinstance(one.answer, tuple)]
