"""Why a session of a cluster waits, ended, or was refused: statuses, events and refusals become sentences. Pure.

An owner reads what it means and what to do. What Kubernetes itself said names nodes, quotas and other people's labels:
it is for the administrators' log alone. What the texts mean is in `reason_tables`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from daas_hub.spawners.kubernetes.labels import DIRECTORIES_CONTAINER, MISSING_DIRECTORY, SESSION_CONTAINER
from daas_hub.spawners.kubernetes.quantities import in_words, is_gpu, quantity, resource_in_words
from daas_hub.spawners.kubernetes.reason import MAX_RAW, Reason, reason_from
from daas_hub.spawners.kubernetes.reason_tables import (
    AGAIN,
    CLAIMS,
    CONTAINERS,
    EVICTIONS,
    IMAGES,
    NODES,
    POD_ENDS,
    STORAGE,
    TELL,
    WAIT,
    ReasonKind,
    Rule,
    first_of,
)
from daas_hub.spawners.kubernetes.refusals import reason_of_refusal

__all__ = [
    "SIGKILL",
    "Reason",
    "ReasonKind",
    "memory_limit_of",
    "reason_of_event",
    "reason_of_pod",
    "reason_of_refusal",
]

#: The exit code of a container that was killed.
SIGKILL = 137
#: States in which a container waits for nothing but its turn.
_ON_ITS_WAY = ("ContainerCreating", "PodInitializing")
_ENDED = Reason(ReasonKind.ENDED, "It ended.", AGAIN, is_final=True)
#: Events by their reason; others are read as those of containers.
_EVENTS: Mapping[str, tuple[Rule, ...]] = {
    "Evicted": EVICTIONS,
    **dict.fromkeys(("Preempted", "TaintManagerEviction"), POD_ENDS),
    "NodeNotReady": NODES,
    **dict.fromkeys(("ExternalProvisioning", "FailedBinding", "ProvisioningFailed", "VolumeMismatch"), CLAIMS),
    **dict.fromkeys(("FailedAttachVolume", "FailedMapVolume", "FailedMount"), STORAGE),
}
_OF_IMAGES = re.compile(r"pull(?:ing)? image|ErrImage|image (?:name|reference)|Container image")
#: Taints of nodes that are out of service, and not of such that are for others.
_OUT_OF_SERVICE = re.compile(
    r"were unschedulable|no nodes available|node\.kubernetes\.io/|cloudprovider\.kubernetes\.io/uninitialized"
)
#: Warnings of a session that runs, or is being ended; and those after which a pod starts all the same.
_NOT_A_REASON = (
    "DNSConfigForming", "FailedKillPod", "FailedPreStopHook", "FailedPreemption", "FailedToRetrieveImagePullSecret",
    "ProbeWarning", "Unhealthy",
)  # fmt: skip


def reason_of_pod(pod: Mapping[str, Any]) -> Reason | None:
    """Return why a pod waits or is over, from its status; None while there is nothing to say.

    Memory is reported as the cluster sees it: with control groups v2 the whole container is killed when its memory is
    used up, with v1 one of its processes, and then the pod says nothing unless that was the first one.

    Args:
        pod: as in the API's JSON.
    """
    status = _map(pod.get("status"))
    is_over = status.get("phase") in ("Failed", "Succeeded")
    # an evicted pod may still have a container that waits, and one that ends well when it is asked to succeeds
    return (
        (_of_whole_pod(status) if is_over else None)
        or _of_containers(status, pod)
        or _of_conditions(status)
        or (_ENDED if is_over else None)
    )


def reason_of_event(event: Mapping[str, Any]) -> Reason | None:
    """Return why a pod or its claim waits, from an event of the API's JSON; None for one that says nothing of that."""
    reason, message = str(event.get("reason") or ""), str(event.get("message") or "")
    text = f"{reason}: {message}"
    at = _when(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp"))
    if reason == "FailedScheduling":
        return _of_scheduling(message, at)
    if reason == "TriggeredScaleUp":
        sentence = "The cluster starts a further computer for your session; that takes some minutes."
        return Reason(ReasonKind.UNSCHEDULABLE, sentence, "", text[:MAX_RAW], at=at, lacks_room=True)
    # a registry and a directory fail in the same words
    others = (*IMAGES, *CONTAINERS) if _OF_IMAGES.search(text) else (*STORAGE[:6], *CONTAINERS, *IMAGES)
    rule = first_of(_EVENTS.get(reason, others), text)
    if event.get("type") != "Warning" and (rule is None or reason not in _EVENTS):
        return None
    return None if reason in _NOT_A_REASON else reason_from(rule, text, at)


def _of_whole_pod(status: Mapping[str, Any]) -> Reason | None:
    """Return why a pod is over as a whole; None if only its containers know."""
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    if reason == "Evicted":
        return reason_from(first_of(EVICTIONS, message), _raw(status))
    if rule := first_of(POD_ENDS, f"{reason}: {message}"):
        return reason_from(rule, _raw(status))
    return next((_of_disruption(one) for one in status.get("conditions") or () if _is_disruption(one)), None)


def _of_containers(status: Mapping[str, Any], pod: Mapping[str, Any]) -> Reason | None:
    """Return why the first container that does not run does not."""
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state = _map(one.get("state"))
        ended, waiting = _map(state.get("terminated")), _map(state.get("waiting"))
        if ended and (one.get("name") == SESSION_CONTAINER or ended.get("exitCode") != 0):
            return _of_end(one, ended, pod)
        if waiting.get("reason") and waiting["reason"] not in _ON_ITS_WAY:
            return _of_waiting(str(waiting["reason"]), str(waiting.get("message") or ""))
    return None


def _of_conditions(status: Mapping[str, Any]) -> Reason | None:
    """Return why a pod has no node yet, or is about to lose it."""
    for condition in status.get("conditions") or ():
        if _is_disruption(condition):
            return _of_disruption(condition)
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return _of_scheduling(str(condition.get("message") or ""), _when(condition.get("lastTransitionTime")))
    return None


def _of_disruption(condition: Mapping[str, Any]) -> Reason:
    """Return why Kubernetes is about to end a pod, or has."""
    text = f"{condition.get('reason')}: {condition.get('message')}"
    rules = (*EVICTIONS[:-1], *POD_ENDS, EVICTIONS[-1])
    return reason_from(first_of(rules, text) or EVICTIONS[-1], text, _when(condition.get("lastTransitionTime")))


def _is_disruption(condition: Mapping[str, Any]) -> bool:
    return condition.get("type") == "DisruptionTarget" and condition.get("status") == "True"


def _of_end(container: Mapping[str, Any], ended: Mapping[str, Any], pod: Mapping[str, Any]) -> Reason:
    """Return why a container ended."""
    reason, code = str(ended.get("reason") or ""), ended.get("exitCode")
    raw, at = _raw(ended), _when(ended.get("finishedAt"))
    if reason == "OOMKilled":
        memory = _memory_of(pod, str(container.get("name")))
        sentence = f"It used all of its {memory} of memory." if memory else "It used all of its memory."
        return Reason(ReasonKind.MEMORY, sentence, "Please launch it again with a larger size.", raw, True, at)
    if reason in ("StartError", "ContainerCannotRun"):
        return reason_from(first_of((*STORAGE[:3], *CONTAINERS), raw), raw, at, is_final=True)
    if reason == "ContainerStatusUnknown":
        return Reason(ReasonKind.NODE, "The computer that ran it lost track of it.", AGAIN, raw, True, at)
    if container.get("name") == DIRECTORIES_CONTAINER:
        sentence = "The directories of your session could not be prepared in your home."
        if code == MISSING_DIRECTORY:
            sentence = "A directory of your session is missing, or your account may not see it."
        return Reason(ReasonKind.STORAGE, sentence, TELL, raw, True, at)
    if code == SIGKILL:
        sentence = "It was killed, as when it has used all of its memory."
        return Reason(ReasonKind.ENDED, sentence, "Please launch it again, with a larger size.", raw, True, at)
    sentence = "It ended." if code == 0 else f"It ended with an error (exit code {code})."
    return Reason(ReasonKind.ENDED, sentence, AGAIN, raw, True, at)


def _of_waiting(reason: str, message: str) -> Reason:
    """Return why a container does not start."""
    text = f"{reason}: {message}"
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return reason_from(first_of((*STORAGE[:6], *CONTAINERS), text), text)
    return reason_from(first_of((*IMAGES, *CONTAINERS), text), text)


def _of_scheduling(message: str, at: float = 0.0) -> Reason:
    """Return why a pod has no node yet. What the scheduler says of each node is for administrators."""
    raw = f"unschedulable: {message}"[:MAX_RAW]
    # what preempting would bring is worded in the same way
    text = re.split(r"\.?\s*preemption:", message, maxsplit=1)[0]
    if rule := first_of(CLAIMS, text):
        return reason_from(rule, raw, at)
    lacking = {one.rstrip(".") for one in re.findall(r"Insufficient ([\w./-]+)", text)}
    if any(map(is_gpu, lacking)):
        sentence = "All GPUs are in use; it starts as soon as one is free."
    elif any("/" in one for one in lacking):
        sentence = "All devices of a kind that it needs are in use; it starts as soon as one is free."
    elif lacking:
        words = " or ".join(sorted({resource_in_words(one) for one in lacking}))
        sentence = f"No computer has enough free {words} yet; it starts as soon as one has."
    elif "Too many pods" in text:
        sentence = "All computers have as many sessions as they can run; it starts as soon as one has room."
    elif _OUT_OF_SERVICE.search(text):
        sentence = "The computers for this session are out of service; it starts as soon as one is back."
    elif "node(s)" in text:
        sentence = "No computer of the cluster is meant for this session."
        if "untolerated taint(s)" in text:
            # since Kubernetes 1.34 without their names: a full disk is one, too
            sentence = "No computer of the cluster takes this session now: out of service, or meant for others."
        return Reason(ReasonKind.UNSCHEDULABLE, sentence, TELL, raw, at=at)
    else:
        sentence = "The cluster has not found a computer for it yet."
    return Reason(ReasonKind.UNSCHEDULABLE, sentence, WAIT, raw, at=at, lacks_room=True)


def memory_limit_of(pod: Mapping[str, Any], container: str) -> int:
    """Return the memory limit of a container in bytes; 0 for none."""
    return int(quantity(_memory_limit(pod, container)) or 0)


def _memory_of(pod: Mapping[str, Any], name: str) -> str:
    memory = _memory_limit(pod, name)
    return in_words(memory, "memory") if memory else ""


def _memory_limit(pod: Mapping[str, Any], name: str) -> Any:
    spec = _map(pod.get("spec"))
    for one in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        if one.get("name") == name:
            return _map(_map(one.get("resources")).get("limits")).get("memory")
    return None


def _raw(status: Mapping[str, Any]) -> str:
    exit_code = f"exit code {status['exitCode']}" if "exitCode" in status else ""
    parts = (str(status.get("reason") or ""), exit_code, str(status.get("message") or ""))
    return ": ".join(filter(None, parts))[:MAX_RAW]


def _when(text: object) -> float:
    """Return a time of the API's JSON in seconds since the epoch; 0 for none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
