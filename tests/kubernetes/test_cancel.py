"""A start is cancelled while it waits: its pod is gone at once, and its owner may start another one (D8)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place, servers
from tests.live_portal import plain_text
from tests.waiting import within

CONFIG = "c.Facility.sessions_per_person = 1\n"
CONTAINER = {"name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
UNSCHEDULABLE = {
    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient memory.",
}  # fmt: skip


def container(state: str, **more: str) -> dict[str, Any]:
    return {**CONTAINER, "state": {state: more}}


#: What the cluster has made of the pod when its owner cancels, by what it waits for; "wait" leaves it alone.
PHASES: dict[str, Any] = {
    "nobody looked at it": "wait",
    "no room": {"phase": "Pending", "conditions": [UNSCHEDULABLE]},
    "pulls its image": {"phase": "Pending", "containerStatuses": [container("waiting", reason="ContainerCreating")]},
    "cannot pull it now": {
        "phase": "Pending",
        "containerStatuses": [container("waiting", reason="ErrImagePull", message="i/o timeout")],
    },
    "prepares directories": {
        "phase": "Pending",
        "initContainerStatuses": [
            {**container("running", startedAt="2026-01-01T00:00:00Z"), "name": "directories"}
        ],
        "containerStatuses": [container("waiting", reason="PodInitializing")],
    },
    "runs, and has not arrived": {
        "phase": "Running",
        "containerStatuses": [container("running", startedAt="2026-01-01T00:00:00Z")],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    with running_place(api, api.new_namespace(), more_config=CONFIG) as running:
        yield running


@pytest.mark.parametrize("phase", PHASES)
def test_a_start_is_cancelled_at_once(place: Place, phase: str) -> None:
    place.kubelet.outcome = PHASES[phase]
    anna = place.portal.login("anna")
    name = anna.launch("terminal", wait=False)
    (pod,) = within(30, place.pods)
    # opened, so that it is the cluster's
    within(30, lambda: not place.pods()[0]["spec"].get("schedulingGates"))
    if isinstance(PHASES[phase], dict):
        within(30, lambda: place.pods()[0]["status"].keys() >= PHASES[phase].keys())
    began = time.monotonic()
    assert anna.stop(name).status_code in (202, 303)
    within(30, lambda: not place.pods())
    print(f"{phase}: the pod was gone after {time.monotonic() - began:.1f} s")
    within(30, lambda: name not in servers(anna))
    assert "Something went wrong" not in plain_text(anna.get("/hub/home"))
    # the place is free: one is all that she may have
    place.kubelet.outcome = "run"
    again = anna.launch("terminal")
    assert [one["metadata"]["uid"] for one in place.pods()] != [pod["metadata"]["uid"]]
    anna.stop(again)
    within(30, lambda: not place.pods())
    within(30, lambda: not servers(anna))


def test_a_cancelled_start_leaves_no_secret_and_no_record(place: Place) -> None:
    secrets = f"/api/v1/namespaces/{place.namespace}/secrets"
    place.kubelet.outcome = "wait"
    anna = place.portal.login("anna")
    name = anna.launch("terminal", wait=False)
    within(30, lambda: len(place.api.call("GET", secrets)["items"]) == 2)
    anna.stop(name)
    within(30, lambda: not place.api.call("GET", secrets)["items"])
    within(30, lambda: not list((place.state / "run" / "records").glob("*.json")))
