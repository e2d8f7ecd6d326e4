"""The time in the cluster's queue: it has a limit of its own, and a start's own time begins after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place
from tests.live_portal import Person, plain_text

START_S, QUEUE_S = 6, 12
LIMITS = f"c.Spawner.start_timeout = {START_S}\nc.ProposalKubeSpawner.queue_timeout_s = {QUEUE_S}\n"
#: What the scheduler says of a pod for which no node has room.
CONDITION = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient memory.",
}
PULLING = {"name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": ""}


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    """A portal with short limits."""
    with running_place(api, api.new_namespace(), more_config=LIMITS) as running:
        yield running


@pytest.fixture
def anna(place: Place) -> Iterator[Person]:
    """Anna, and afterwards no pod of hers."""
    person = place.portal.login("anna")
    yield person
    until = time.monotonic() + 30
    for name in list(person.get(f"/hub/api/users/{person.name}").json().get("servers", {})):
        person.stop(name)
    while place.pods():
        assert time.monotonic() < until, "pods are left"
        time.sleep(0.2)


def failure_of(place: Place, person: Person, outcome: str | dict[str, Any]) -> tuple[str, float]:
    """Launch with this outcome; return why the start failed, and after how many seconds."""
    place.kubelet.outcome = outcome
    began = time.monotonic()
    name = person.launch("terminal", wait=False)
    while "did not start" not in (words := plain_text(person.get(f"/hub/sessions/{name}"))):
        assert time.monotonic() < began + 60, words
        time.sleep(0.1)
    return words, time.monotonic() - began


def test_a_start_may_wait_longer_than_it_may_take(place: Place, anna: Person) -> None:
    """JupyterHub alone ends it after `start_timeout`, with whatever it waits for."""
    place.kubelet.outcome = "wait"
    name = anna.launch("terminal", wait=False)
    time.sleep(START_S + 1.5)
    place.kubelet.outcome = "run"
    anna.wait_ready(name)
    anna.stop(name)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        pytest.param(
            {"phase": "Pending", "conditions": [CONDITION]},
            "No computer has enough free memory yet. It waited",
            id="no room",
        ),
        pytest.param(
            {
                "phase": "Pending",
                "containerStatuses": [
                    PULLING | {"state": {"waiting": {"reason": "ErrImagePull", "message": "i/o timeout"}}}
                ],
            },
            "image",
            id="image",
        ),
        pytest.param("wait", "The cluster has not started your session.", id="nothing said"),
    ],
)
def test_what_it_waited_for_is_said_at_the_limit(place: Place, anna: Person, outcome: Any, words: str) -> None:
    said, took_s = failure_of(place, anna, outcome)
    assert words in said
    assert f"It waited {QUEUE_S} s, which is the limit." in said
    assert "Please launch again later." in said
    assert took_s > QUEUE_S - 1
    # what the cluster said is for administrators
    assert "i/o timeout" not in said
    assert "nodes are available" not in said


def test_a_session_that_runs_has_its_own_time(place: Place, anna: Person) -> None:
    """It has its node, and does not arrive."""
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    said, took_s = failure_of(place, anna, {"phase": "Running", "containerStatuses": [PULLING | {"state": state}]})
    assert f"The session did not respond within {START_S} seconds." in said
    assert took_s < QUEUE_S


@pytest.fixture(scope="module")
def claim(api: ApiServer, place: Place) -> Iterator[None]:
    """The facility's directories, without which the scheduler looks for no node."""
    spec = {"accessModes": ["ReadWriteMany"], "storageClassName": "none", "volumeName": place.namespace}
    volume = {
        "accessModes": ["ReadWriteMany"], "storageClassName": "none", "capacity": {"storage": "1Gi"},
        "hostPath": {"path": "/var/empty"},
    }  # fmt: skip
    api.call("POST", "/api/v1/persistentvolumes", {"metadata": {"name": place.namespace}, "spec": volume})
    claims = f"/api/v1/namespaces/{place.namespace}/persistentvolumeclaims"
    wanted = spec | {"resources": {"requests": {"storage": "1Gi"}}}
    api.call("POST", claims, {"metadata": {"name": "facility"}, "spec": wanted})
    until = time.monotonic() + 30
    while api.call("GET", f"{claims}/facility")["status"].get("phase") != "Bound":
        assert time.monotonic() < until, "the claim is not bound"
        time.sleep(0.1)
    yield
    api.call("DELETE", f"/api/v1/persistentvolumes/{place.namespace}")


@pytest.fixture
def node(api: ApiServer, claim: None) -> Iterator[Callable[[str], None]]:
    """The real scheduler, and a node with too little memory for a session; what is called sets its memory."""
    with api.node("small") as set_memory, api.scheduling():
        set_memory("64Mi")
        yield set_memory


def test_a_pod_that_the_scheduler_has_no_node_for_ends_at_the_limit_of_the_queue(
    place: Place, anna: Person, node: Callable[[str], None]
) -> None:
    """What it says of its nodes is for administrators; `start_timeout`, which is shorter, does not count yet."""
    said, took_s = failure_of(place, anna, "wait")
    assert f"No computer has enough free memory yet. It waited {QUEUE_S} s, which is the limit." in said
    assert "nodes are available" not in said
    assert "0/1 nodes are available: 1 Insufficient memory" in place.portal.log.read_text()
    assert took_s > QUEUE_S - 1


def test_a_pod_starts_when_the_scheduler_finds_it_a_node(
    place: Place, anna: Person, node: Callable[[str], None]
) -> None:
    place.kubelet.outcome = "wait"
    name = anna.launch("terminal", wait=False)
    until = time.monotonic() + QUEUE_S - 1
    while "No computer has enough free memory yet" not in plain_text(anna.get(f"/hub/sessions/{name}")):
        assert time.monotonic() < until, "not said"
        time.sleep(0.1)
    node("8Gi")
    while place.pods()[0]["spec"].get("nodeName") != "small":
        assert time.monotonic() < until + 30, "not scheduled"
        time.sleep(0.1)
    place.kubelet.outcome = "run"
    anna.wait_ready(name)
    # its node has no kubelet, which would confirm a stop
    place.api.delete_pod(place.namespace, place.pods()[0]["metadata"]["name"])
