"""The capacity of a place that is a namespace is its quota, and the queue serves it: with a real API server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hub.operator import Operator
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place
from tests.live_portal import Person, plain_text
from tests.waiting import within

CONFIG = """
c.Quotas.facility = {"memory": "ask", "sessions": "ask"}
c.Quotas.ask_interval_s = 1
c.Queue.enabled = True
c.Queue.retry_seconds = 1
"""


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    """A portal of which the namespace has a quota of 3 GiB, and somebody else a pod of 1 GiB; a session has 1 GiB."""
    namespace = api.new_namespace()
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["list"]}
    api.call("POST", f"{rbac}/roles", {"metadata": {"name": "quota"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "quota"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "quota"},
        "subjects": [{"kind": "User", "name": "hub", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    api.call("POST", f"{rbac}/rolebindings", binding)
    limit(api, namespace, "memory", {"limits.memory": "3Gi"})
    make_other(api, namespace, "with-memory", {"memory": "1Gi"})
    with running_place(api, namespace, more_config=CONFIG) as running:
        yield running


def make_other(api: ApiServer, namespace: str, name: str, amounts: dict[str, str]) -> None:
    """Create a pod that is somebody else's."""
    given = {"memory": "1Ki", "cpu": "1m"} | amounts
    container = {"name": "other", "image": "x", "resources": {"limits": given, "requests": given}}
    pod = {"metadata": {"name": name}, "spec": {"containers": [container], "nodeName": "nowhere"}}
    api.call("POST", f"/api/v1/namespaces/{namespace}/pods", pod)


def limit(api: ApiServer, namespace: str, name: str, hard: dict[str, str]) -> None:
    """Create a quota in a namespace, and wait until it is enforced."""
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api.call("POST", path, {"metadata": {"name": name}, "spec": {"hard": hard}})
    within(30, lambda: api.call("GET", f"{path}/{name}").get("status", {}).get("hard") == hard)


def memory(operator: Operator) -> dict[str, float]:
    (found,) = operator.asked("capacity")
    return {key: value / 2**30 for key, value in found["resources"].get("memory_bytes", {}).items()}


def card(person: Person, name: str) -> str:
    return plain_text(person.get(f"/hub/sessions/{name}"))


def test_the_quota_is_the_capacity(api: ApiServer, place: Place) -> None:
    """Two sessions run, the third waits, and the backend that does not answer refuses nobody."""
    operator, anna = Operator(place.portal), place.portal.login("anna")
    assert within(30, lambda: memory(operator)) == {"used": 0, "limit": 2}
    first, second = anna.launch("terminal"), anna.launch("terminal")
    assert within(30, lambda: memory(operator)["used"] == 2)
    assert memory(operator)["limit"] == 2, "its own sessions are not somebody else's"
    table = operator.run("capacity").stdout
    assert "2 of 2 GiB" in table
    assert f"the quota memory of the namespace {place.namespace}" in table
    third = anna.launch("terminal", wait=False)
    assert "You are first in line" in card(anna, third)
    anna.stop(first)
    anna.wait_ready(third)

    fourth = anna.launch("terminal", wait=False)
    assert "You are first in line" in card(anna, fourth)
    api.kill_api()
    try:
        shown = within(30, lambda: problem_in(operator))
        assert "the quota memory of the namespace" in shown
        assert memory(operator)["limit"] == 2, "as it was last known"
        assert "You are first in line" in card(anna, fourth)
    finally:
        api.start_api()
    anna.stop(second)
    anna.wait_ready(fourth)
    assert within(30, lambda: not problem_in(operator))
    for name in (third, fourth):
        anna.stop(name)
    assert within(30, lambda: not memory(operator)["used"])


def problem_in(operator: Operator) -> str:
    """Return what `daas-hub capacity` prints if it says that the cluster does not answer."""
    shown = operator.run("capacity").stdout
    return shown if "; now: The cluster that runs the sessions does not answer." in shown else ""


def test_a_refusal_after_admission_keeps_place_and_age(api: ApiServer, place: Place) -> None:
    """Processors are not asked for here, so the hub admits what the quota refuses."""
    limit(api, place.namespace, "processors", {"limits.cpu": "1500m"})
    make_other(api, place.namespace, "with-processors", {"cpu": "1"})
    operator, anna = Operator(place.portal), place.portal.login("anna")
    assert within(30, lambda: memory(operator)), "the capacity is known"
    name = anna.launch("terminal", wait=False)
    (refused,) = within(30, lambda: [one for one in tickets(operator) if "1.5 processors" in one["words"]])
    time.sleep(3)
    (again,) = within(30, lambda: tickets(operator))
    assert (again["session"], again["since"]) == (name, refused["since"]), "its age is that of its launch"
    api.delete_pod(place.namespace, "with-processors")
    anna.wait_ready(name)


def tickets(operator: Operator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operator.asked("queue")["waiting"]
    return found
