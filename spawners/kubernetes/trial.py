"""A trial in a pod (see `daas_hub.spawners.trial`): what a real account finds in this place."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from daas_hub.errors import DaasError, SessionFailed
from daas_hub.findings import Finding
from daas_hub.launch import Plan
from daas_hub.spawners.kubernetes.client import APIRefusal, Json, PlaceClient
from daas_hub.spawners.kubernetes.labels import HUB_LABEL, PLACE_LABEL, SESSION_CONTAINER
from daas_hub.spawners.kubernetes.launch import create_pod, create_secret, open_gate, refused, require_asked
from daas_hub.spawners.kubernetes.pod import pod_for
from daas_hub.spawners.kubernetes.pod_settings import PodIdentity
from daas_hub.spawners.kubernetes.reasons import reason_of_pod
from daas_hub.spawners.kubernetes.session_files import generated_files
from daas_hub.spawners.kubernetes.watch import phase_of
from daas_hub.spawners.probe_findings import findings_of, nothing_tried, trial_failed
from daas_hub.spawners.trial import PROBE, probe_report, without_home
from daas_hub.storage import AccountStorage

if TYPE_CHECKING:
    from daas_hub.spawners.kubernetes.place import PlaceMixin

#: Seconds until the probe must have ended: a node may have to pull the image first.
TIMEOUT_S = 180.0
_LOOK_EVERY_S = 0.5
#: Added to the hub's own name: the running hub must not take the pod for a session.
_SUFFIX = "-doctor"


async def try_place(settings: PlaceMixin, plan: Plan | None) -> list[Finding]:
    """Run the probe in a pod as for this launch, and return what it found; without a launch, nothing is tried."""
    if plan is None:
        return [nothing_tried()]
    try:
        return findings_of(await try_pod(settings, plan), plan)
    except APIRefusal as refusal:
        return [trial_failed(refused(refusal))]
    except DaasError as error:
        return [trial_failed(error)]
    finally:
        await settings.client.close()


async def try_pod(settings: PlaceMixin, plan: Plan) -> dict[str, Any]:
    """Run the probe in a pod of this plan, with a home in memory; return its report.

    Raises:
        DaasError: the pod cannot be created or scheduled, or the probe printed no report.
        APIRefusal: the hub may not do something.
    """
    client = settings.client
    start = secrets.token_hex(16)
    name = f"daas-doctor-{start[:10]}"
    # a trial leaves nothing in a person's home, and creates no directories
    plan = replace(without_home(plan), temporary_home=True)
    plan = replace(plan, mounts=tuple(replace(mount, create=False) for mount in plan.mounts))
    async with _opened(settings, plan) as opened:
        identity = PodIdentity(name, start[:20], start, files_secret=f"{name}-files", program=(PROBE,))
        pods = replace(settings.pod_settings, hub_id=f"{settings.hub_id}{_SUFFIX}")
        asked = pod_for(opened, pods, identity)
        await _remove_earlier(client, f"{HUB_LABEL}={pods.hub_id},{PLACE_LABEL}={pods.place}")
        made = await create_pod(client, asked)
        try:
            require_asked(asked, made, settings.accepted_changes)
            await create_secret(client, identity.files_secret, made, generated_files(opened))
            await open_gate(client, asked, made, settings.accepted_changes)
            await _wait_ended(client, name)
            return probe_report(await client.output(name, SESSION_CONTAINER, lines=1000))
        finally:
            with contextlib.suppress(APIRefusal):
                await client.delete_pod(made, 0)


@asynccontextmanager
async def _opened(settings: PlaceMixin, plan: Plan) -> AsyncIterator[Plan]:
    """Open the directories of the plan, where the hub has the facility's storage."""
    if not settings.hub_has_storage:
        yield plan
        return
    async with AccountStorage(plan.account) as storage:
        pinned = await storage.pin(plan.mounts)
        try:
            yield plan.opened(one.mount for one in pinned)
        finally:
            for one in pinned:
                one.close()


async def _remove_earlier(client: PlaceClient, selector: str) -> None:
    """Delete the ended pods of trials that were interrupted."""
    pods, _ = await client.pods(selector)
    for pod in pods:
        if phase_of(pod) in ("Succeeded", "Failed"):
            await client.delete_pod(pod, 0)


async def _wait_ended(client: PlaceClient, name: str) -> None:
    """Wait until the pod has ended.

    Raises:
        SessionFailed: it cannot start, or takes too long; with the cluster's reason.
    """
    until = time.monotonic() + TIMEOUT_S
    while True:
        pod: Json | None = await client.pod(name)
        if pod is None:
            raise SessionFailed("The pod of the trial was removed by something else in the cluster.")
        phase = phase_of(pod)
        # the container is reported as ended a moment before its pod
        if phase == "Succeeded" or _has_ended_well(pod):
            return
        reason = reason_of_pod(pod)
        if phase == "Failed" or (reason is not None and reason.is_final):
            raise reason.as_error() if reason else SessionFailed("The pod of the trial failed.")
        if time.monotonic() > until:
            problem = reason.as_error() if reason else SessionFailed("The pod of the trial did not end.")
            problem.add_note(f"It was given {TIMEOUT_S:g} s.")
            raise problem
        await asyncio.sleep(_LOOK_EVERY_S)


def _has_ended_well(pod: Json) -> bool:
    """Return whether the probe's container ended with exit code 0."""
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    ended = ((one.get("state") or {}).get("terminated") or {} for one in containers if one["name"] == SESSION_CONTAINER)
    return any(one.get("exitCode") == 0 for one in ended)
