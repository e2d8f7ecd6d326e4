"""The doctor's pod on a real API server: what it asks for, and what is said when the cluster does not run it.

On a real node its probe runs in tests/cluster/test_sessions.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.findings import Finding, Verdict
from daas_hub.spawners.kubernetes import trial
from daas_hub.spawners.kubernetes.spawner import ProposalKubeSpawner
from daas_hub.spawners.kubernetes.trial import try_place
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.plans import CLAIMS, DESKTOP

_WAITING = {"name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
NO_IMAGE = {
    "phase": "Pending",
    "containerStatuses": [_WAITING | {"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "none"}}}],
}
ENDED = {
    "phase": "Running",
    "containerStatuses": [_WAITING | {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}],
}
NO_ROOM = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory.",
        }
    ],
}  # fmt: skip


@pytest.fixture
async def place(api: ApiServer, namespace: str) -> AsyncIterator[ProposalKubeSpawner]:
    settings = {
        "hub_id": "portal",
        "gateway_address": "10.96.40.12:8012",
        "k8s_api_host": api.url,
        "k8s_api_ssl_ca_cert": str(api.ca),
        "token_file": str(api.folder / "hub.token"),
        "namespace": namespace,
        "storage": list(CLAIMS),
    }
    made = ProposalKubeSpawner(config=Config({"ProposalKubeSpawner": settings}))
    yield made
    await made.client.close()


async def tried(api: ApiServer, place: ProposalKubeSpawner, status: dict[str, Any]) -> tuple[Finding, dict[str, Any]]:
    """Try the place, report this status of the pod, and return the finding and the pod."""
    trying = asyncio.ensure_future(try_place(place, DESKTOP))
    pod: dict[str, Any] | None = None
    while pod is None and not trying.done():
        await asyncio.sleep(0.1)
        pods = await asyncio.to_thread(api.pods, place.client.namespace)
        ours = (one for one in pods if one["metadata"]["name"].startswith("daas-doctor-"))
        pod = next((one for one in ours if not one["spec"].get("schedulingGates")), None)
    assert pod is not None, await trying
    await asyncio.to_thread(api.set_status, place.client.namespace, pod["metadata"]["name"], **status)
    (found,) = await trying
    return found, pod


async def test_the_pod_is_that_of_a_session_with_another_program(api: ApiServer, place: ProposalKubeSpawner) -> None:
    """Its account, volumes and restrictions; not its hub, which would take it for a session; no home of anybody."""
    _, pod = await tried(api, place, NO_IMAGE)
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert (spec["securityContext"]["runAsUser"], container["command"]) == (25001, ["daas-probe"])
    assert pod["metadata"]["labels"]["daas-hub/hub"] == "portal-doctor"
    claims = {one["persistentVolumeClaim"]["claimName"] for one in spec["volumes"] if "persistentVolumeClaim" in one}
    assert claims == {"data"}
    homes = [one["name"] for one in container["volumeMounts"] if one["mountPath"] == "/home/anna"]
    assert homes == ["home"]
    assert "envFrom" not in container, "no token of a session"


async def test_what_the_cluster_says_is_the_finding(api: ApiServer, place: ProposalKubeSpawner) -> None:
    found, _ = await tried(api, place, NO_IMAGE)
    assert (found.key, found.verdict) == ("sessions.tried", Verdict.PROBLEM)
    assert "image" in found.result
    assert api.pods(place.client.namespace) == [], "and nothing of it stays"


async def test_a_probe_that_has_ended_is_read_before_its_pod_has(api: ApiServer, place: ProposalKubeSpawner) -> None:
    """The kubelet reports the container first; no node has run this one, so that it printed nothing."""
    found, _ = await tried(api, place, ENDED)
    assert "printed no report" in found.result


async def test_a_cluster_without_room_is_waited_for_and_named(
    api: ApiServer, place: ProposalKubeSpawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TIMEOUT_S", 10.0)
    found, _ = await tried(api, place, NO_ROOM)
    assert "memory" in found.result
    assert "10 s" in found.result


async def test_pods_of_interrupted_trials_are_removed(api: ApiServer, place: ProposalKubeSpawner) -> None:
    """Of this hub and place, and only what has ended: another doctor may run."""
    namespace = place.client.namespace
    ours = {"daas-hub/hub": "portal-doctor", "daas-hub/place": place.place_label}
    for name, labels in {"ended": ours, "runs": ours, "another": {**ours, "daas-hub/hub": "lab-doctor"}}.items():
        api.make_pod(namespace, name, labels)
        api.set_status(namespace, name, phase="Running" if name == "runs" else "Succeeded")
    await tried(api, place, NO_IMAGE)
    assert {one["metadata"]["name"] for one in api.pods(namespace)} == {"runs", "another"}


async def test_without_a_launch_nothing_is_tried(place: ProposalKubeSpawner) -> None:
    (found,) = await try_place(place, None)
    assert found.verdict is Verdict.NOT_CHECKED
