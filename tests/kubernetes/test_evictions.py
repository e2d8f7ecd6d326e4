"""Evictions that the API server refuses, for the sake of a PodDisruptionBudget, and such that were broken off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.ten import during
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place, servers, signed_in
from tests.live_portal import Person, plain_text
from tests.waiting import within

READY = {"type": "Ready", "status": "True"}
#: Every session of the namespace.
SESSIONS = {"matchLabels": {"app.kubernetes.io/managed-by": "daas-hub"}}


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    with running_place(api, api.new_namespace()) as running:
        yield running


@pytest.fixture
def anna(place: Place) -> Iterator[Person]:
    with signed_in(place) as person:
        yield person


@pytest.fixture
def budget(place: Place) -> Iterator[str]:
    """A budget that keeps every session, and where it is."""
    path = f"/apis/policy/v1/namespaces/{place.namespace}/poddisruptionbudgets"
    # a share of pods without a controller cannot be counted
    spec = {"minAvailable": 1000, "selector": SESSIONS}
    place.api.call("POST", path, {"metadata": {"name": "sessions"}, "spec": spec})
    within(30, lambda: "disruptionsAllowed" in (place.api.call("GET", f"{path}/sessions").get("status") or {}))
    yield f"{path}/sessions"
    place.api.call("DELETE", f"{path}/sessions")


def evict(place: Place, pod: dict[str, Any]) -> int:
    """Ask for an eviction, as `kubectl drain` does; return the status of the answer."""
    name = pod["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    return place.api.status_of("POST", f"/api/v1/namespaces/{place.namespace}/pods/{name}/eviction", body)


def disrupt(place: Place, pod: dict[str, Any], status: str) -> None:
    """Set the condition with which Kubernetes announces the end of a pod, and takes it back two minutes later."""
    condition = {"type": "DisruptionTarget", "status": status, "reason": "EvictionByEvictionAPI", "message": "x"}
    place.api.set_status(place.namespace, pod["metadata"]["name"], conditions=[READY, condition])


def require_quiet(place: Place, anna: Person, name: str) -> None:
    """Check that a session runs, and that its card has nothing to say."""
    assert servers(anna)[name]["ready"]
    words = plain_text(anna.get("/hub/home"))
    assert "Running" in words
    for wrong in ("maintenance", "ended", "being stopped", "does not answer"):
        assert wrong not in words, words
    assert anna.get(f"/user/{anna.name}/{name}/").text == "a session"


def test_a_refused_eviction_changes_nothing_and_its_owner_can_stop(place: Place, anna: Person, budget: str) -> None:
    """A drain asks again every five seconds; who stops a session does not ask the budget."""
    name = anna.launch("terminal")
    (pod,) = place.pods()

    def ask_again() -> None:
        assert evict(place, pod) == 429
        require_quiet(place, anna, name)

    during(5, ask_again)
    assert [one["metadata"]["uid"] for one in place.pods()] == [pod["metadata"]["uid"]]
    anna.stop(name)
    within(30, lambda: not place.pods())
    within(30, lambda: name not in servers(anna))
    # and a new one starts under the budget, too
    anna.stop(anna.launch("terminal"))


def test_an_eviction_that_was_broken_off_ends_nothing(place: Place, anna: Person) -> None:
    """The condition says that the pod is about to be deleted, and then it is not."""
    name = anna.launch("terminal")
    (pod,) = place.pods()
    disrupt(place, pod, "True")
    during(4, lambda: require_quiet(place, anna, name))
    disrupt(place, pod, "False")
    ended = {"name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
    ended |= {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    place.api.set_status(place.namespace, pod["metadata"]["name"], phase="Succeeded", containerStatuses=[ended])
    within(30, lambda: name not in servers(anna))
    assert "maintenance" not in plain_text(anna.get("/hub/home"))


def test_a_drain_goes_on_when_the_budget_lets_it(place: Place, anna: Person, budget: str) -> None:
    name = anna.launch("terminal")
    (pod,) = place.pods()
    assert evict(place, pod) == 429
    merge = {"Content-Type": "application/merge-patch+json"}
    place.api.call("PATCH", budget, {"spec": {"minAvailable": 0}}, headers=merge)
    within(30, lambda: evict(place, pod) != 429)
    within(30, lambda: name not in servers(anna))
    assert "administrators, as for maintenance. Please launch it again." in plain_text(anna.get("/hub/home"))
