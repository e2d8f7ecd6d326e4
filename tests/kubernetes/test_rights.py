"""The Role of the chart is what a hub uses: nothing that it needs is missing, and nothing more is granted.

The API server's own audit log says what was used, in all that a hub does with sessions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from daas_hub.spawners.kubernetes.labels import DEADLINE_ANNOTATION
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place
from tests.kubernetes.rights import HUB_RULES, granted, used
from tests.live_portal import Person, plain_text
from tests.waiting import within

UNSCHEDULABLE = {
    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient memory.",
}  # fmt: skip
ENDED = {
    "name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": "",
    "state": {"terminated": {"exitCode": 1, "reason": "Error"}},
}  # fmt: skip


@pytest.fixture
def place(api: ApiServer) -> Iterator[Place]:
    with running_place(api, api.new_namespace()) as running:
        yield running


def wait_used(place: Place, resource: str, verb: str) -> None:
    """Wait until the hub has used a right in the namespace of its sessions."""

    def is_used() -> bool:
        # while a line is written, and before the role is known
        with contextlib.suppress(ValueError, AssertionError):
            return (resource, verb) in used(place.api.audit_log, "hub", {place.namespace}).get(place.namespace, ())
        return False

    within(60, is_used)


def wait_in_the_queue_and_run(place: Place, anna: Person) -> str:
    """Start a session that waits for a computer, long enough for a look at its events; return its name."""
    place.kubelet.outcome = "wait"
    name = anna.launch("terminal", wait=False)
    (pod,) = within(30, place.pods)
    place.api.set_status(place.namespace, pod["metadata"]["name"], phase="Pending", conditions=[UNSCHEDULABLE])
    within(30, lambda: "memory" in plain_text(anna.get(f"/hub/sessions/{name}")))
    promised = pod["metadata"]["annotations"][DEADLINE_ANNOTATION]
    wait_used(place, "events", "list")
    place.kubelet.outcome = "run"
    anna.wait_ready(name)
    # the wait is not part of the session: its end is later than the pod's annotation said
    within(30, lambda: place.pods()[0]["metadata"]["annotations"][DEADLINE_ANNOTATION] != promised)
    return name


def fail_with_output(place: Place, anna: Person) -> None:
    """Start a session that ends at once, so that the end of its output is read."""
    place.kubelet.outcome = {"phase": "Failed", "containerStatuses": [ENDED]}
    anna.post("/hub/launch", {"application": "terminal", "proposal": "", "visit": ""})
    wait_used(place, "pods/log", "get")
    within(30, lambda: len(place.pods()) == 1)
    place.kubelet.outcome = "run"


def test_a_hub_uses_each_right_of_the_charts_role_and_no_other(place: Place) -> None:
    """Start, queue, deadline, failed start, restart, reconciliation, stop, and the doctor."""
    anna = place.portal.login("anna")
    kept = wait_in_the_queue_and_run(place, anna)
    fail_with_output(place, anna)
    place.kill()
    place.restart()
    anna = place.portal.login("anna")
    within(30, lambda: anna.get(f"/hub/api/users/{anna.name}").json()["servers"][kept]["ready"])
    assert "what it needs, and no exec, and no Secrets to read" in place.doctor()
    anna.stop(kept)
    within(30, lambda: not place.pods())
    found = used(place.api.audit_log, "hub", {place.namespace, ""})
    assert found == {place.namespace: granted(HUB_RULES)}
