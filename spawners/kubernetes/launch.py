"""How one pod comes into being and goes: created behind its gate, compared, given its Secrets, let go; and deleted.

A late answer or a conflict is judged by the id of the start: a pod with our id is ours, whichever request made it; any
other pod of that name is somebody else's, and is never touched.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from daas_hub.errors import SessionFailed
from daas_hub.spawners.kubernetes.client import ROLES_S, APIRefusal, ClusterUnreachable, Json, PlaceClient, pause_after
from daas_hub.spawners.kubernetes.compare import differences
from daas_hub.spawners.kubernetes.labels import (
    COMPARED_GATE,
    HUB_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PLACE_LABEL,
    SESSION_LABEL,
    START_LABEL,
)
from daas_hub.spawners.kubernetes.reasons import reason_of_refusal
from daas_hub.spawners.kubernetes.watch import PodWatch

TELL_ADMINISTRATORS = "Please tell the administrators; the hub's log says more."
#: Kubernetes' word for an object of that name that exists already.
_EXISTS = "AlreadyExists"
#: Answers to a creation after which the pod may be there: a conflict, too many requests, an error on the way.
_MAY_BE_THERE = frozenset({409, 429, 500, 502, 503, 504})
_CONFLICT = 409
_FIRST_WAIT_S = 0.2
_MAX_WAIT_S = 5.0


def is_ours(pod: Mapping[str, Any], hub_id: str, place: str) -> bool:
    """Return whether a pod is of this hub and place, by its labels."""
    labels = pod["metadata"].get("labels") or {}
    return labels.get(HUB_LABEL) == hub_id and labels.get(PLACE_LABEL) == place


def start_of(pod: Mapping[str, Any]) -> str:
    """Return the id of the start that made a pod."""
    return str((pod["metadata"].get("labels") or {}).get(START_LABEL, ""))


async def create_pod(client: PlaceClient, manifest: Json) -> Json:
    """Create a pod, and return it as the API server made it, whichever of our requests did.

    Raises:
        SessionFailed: the cluster refused it, or another pod has its name.
        ClusterUnreachable: the API server did not answer in time.
    """
    began, wait_s = time.monotonic(), _FIRST_WAIT_S
    until = began + client.access.retry_s
    while True:
        problem: SessionFailed
        pause_s = wait_s
        try:
            return await client.once("create_namespaced_pod", manifest)
        except ClusterUnreachable as error:
            problem = error
        except APIRefusal as refusal:
            problem = refused(refusal)
            if refusal.is_about_rights:
                until = min(until, began + ROLES_S)
            elif refusal.status not in _MAY_BE_THERE:
                raise problem from refusal
            pause_s = pause_after(refusal, wait_s)
        # it may have been created all the same, by this request or by an earlier one
        if (found := await _found(client, manifest)) is not None:
            return found
        if time.monotonic() + pause_s >= until:
            raise problem
        await asyncio.sleep(pause_s)
        wait_s = min(_MAX_WAIT_S, 2 * wait_s)


async def _found(client: PlaceClient, manifest: Json) -> Json | None:
    """Return the pod of this start if the API server has it; None if it has none, or cannot say now.

    Raises:
        SessionFailed: a pod has its name that this start has not made.
    """
    try:
        found = await client.pod(manifest["metadata"]["name"], repeat=False)
    except (APIRefusal, ClusterUnreachable):
        return None
    if found is not None:
        _require_own_start(found, start_of(manifest))
    return found


def _require_own_start(found: Json, start: str) -> None:
    """Refuse a pod of the wanted name that another start, or somebody else, made."""
    if start_of(found) != start:
        raise SessionFailed(
            "Something else in the cluster has the name of this session.",
            remedy="Please launch another one, and tell the administrators.",
            detail=f"pod {found['metadata']['name']} has another start: {start_of(found) or 'not one of ours'}",
        )


def refused(refusal: APIRefusal) -> SessionFailed:
    """Return a refusal of the API server as the failure of a start."""
    return reason_of_refusal(refusal.status, refusal.document).as_error()


def require_asked(asked: Json, made: Json, accepted: Sequence[str] = ()) -> None:
    """Compare a pod with what was asked for.

    Args:
        accepted: fields that may differ (see `differences`).

    Raises:
        SessionFailed: something of the cluster has changed it.
    """
    if wrong := differences(asked, made, accepted):
        raise SessionFailed(
            "The cluster changed this session's pod; it was not started.",
            remedy=TELL_ADMINISTRATORS,
            detail=f"changed: {', '.join(wrong)}",
        )


async def create_secret(client: PlaceClient, name: str, pod: Json, content: Mapping[str, bytes]) -> None:
    """Create a Secret that goes with its pod; the right to create is enough.

    Raises:
        SessionFailed, ClusterUnreachable: see `create_pod`.
    """
    metadata = pod["metadata"]
    labels = {key: metadata["labels"][key] for key in (HUB_LABEL, PLACE_LABEL, SESSION_LABEL, START_LABEL)}
    owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
    secret: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {**labels, MANAGED_BY_LABEL: MANAGED_BY}, "ownerReferences": [owner]},
        "immutable": True,
        "data": {key: base64.b64encode(value).decode() for key, value in content.items()},
    }
    try:
        await client.call("create_namespaced_secret", secret)
    except APIRefusal as refusal:
        # its name has the id of the start: an earlier answer of ours was late
        if refusal.status != _CONFLICT or refusal.reason != _EXISTS:
            raise refused(refusal) from refusal


async def open_gate(client: PlaceClient, asked: Json, pod: Json, accepted: Sequence[str] = ()) -> None:
    """Let the scheduler have a pod, and compare it once more: a controller may have changed it meanwhile.

    Args:
        asked, accepted: see `require_asked`.
        pod: as the API server made it.

    Raises:
        SessionFailed, ClusterUnreachable: see `create_pod`.
    """
    opened = await _without_gate(client, pod)
    open_asked = {**asked, "spec": {**asked["spec"], "schedulingGates": []}}
    # the scheduler may be faster than the answer
    require_asked(open_asked, opened, [*accepted, "spec.nodeName"])


async def _without_gate(client: PlaceClient, pod: Json) -> Json:
    """Remove our gate, and return the pod as the API server has it then."""
    gates = pod["spec"].get("schedulingGates") or []
    index = next((number for number, one in enumerate(gates) if one["name"] == COMPARED_GATE), None)
    patch: list[Json] = [
        {"op": "test", "path": "/metadata/uid", "value": pod["metadata"]["uid"]},
        {"op": "test", "path": f"/spec/schedulingGates/{index}/name", "value": COMPARED_GATE},
        {"op": "remove", "path": f"/spec/schedulingGates/{index}"},
    ]
    name = pod["metadata"]["name"]
    until, wait_s = time.monotonic() + client.access.retry_s, _FIRST_WAIT_S
    while True:
        try:
            return await client.call("patch_namespaced_pod", name, patch)
        except APIRefusal as refusal:
            now = await client.pod(name)
            # an earlier answer of ours was late
            if now is not None and now["metadata"]["uid"] == pod["metadata"]["uid"] and not has_gate(now):
                return now
            # somebody else changed it at the same time
            if refusal.status != _CONFLICT or time.monotonic() + wait_s >= until:
                raise refused(refusal) from refusal
        await asyncio.sleep(wait_s)
        wait_s = min(_MAX_WAIT_S, 2 * wait_s)


def has_gate(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is still behind its gate: its start has not come that far."""
    return any(one["name"] == COMPARED_GATE for one in pod["spec"].get("schedulingGates") or ())


async def wait_gone(client: PlaceClient, watch: PodWatch, pod: Json, timeout_s: float) -> bool:
    """Wait until this very pod is gone; return whether it is. A pod that is being ended is not gone."""
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    gone = asyncio.Event()

    def changed(now: Json | None) -> None:
        if now is None or now["metadata"]["uid"] != uid:
            gone.set()

    forget: Callable[[], None] = watch.listen(name, changed)
    until = time.monotonic() + timeout_s
    try:
        while True:
            try:
                found = await client.pod(name, repeat=False)
                if found is None or found["metadata"]["uid"] != uid:
                    return True
            except (APIRefusal, ClusterUnreachable):
                pass
            remaining_s = until - time.monotonic()
            if remaining_s <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(2.0, remaining_s)):
                    await gone.wait()
            # the watch says when to ask again; the answer is the API server's
            gone.clear()
    finally:
        forget()
