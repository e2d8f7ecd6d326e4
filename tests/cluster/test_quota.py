"""A quota of a real cluster that refuses what the hub has admitted: the launch waits in its place, and starts in time.

The hub knows nothing of the quota here.
"""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.portal import ClusterPortal, on_the_node, start_cluster_portal
from tests.hub.operator import Operator
from tests.live_portal import Person, plain_text, remove
from tests.waiting import within

CONFIG = """
c.Queue.enabled = True
c.Queue.retry_seconds = 1
c.Spawner.consecutive_failure_limit = 0
c.Spawner.start_timeout = 240
"""
#: Two sessions of the size "light", and no third.
PROCESSORS = "300m"


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[ClusterPortal]:
    """A portal whose namespace has processors for two sessions."""
    namespace = f"daas-quota-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
    spec = {"hard": {"limits.cpu": PROCESSORS}}
    cluster.create(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "processors"}, "spec": spec}, "-n", namespace
    )
    try:
        running = start_cluster_portal(cluster, namespace, {"desktop": on_the_node("desktop")}, more_config=CONFIG)
        try:
            yield running
        finally:
            running.portal.stop()
            remove(running.portal)
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def tickets(operator: Operator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operator.asked("queue")["waiting"]
    return found


def page(person: Person, name: str) -> str:
    return plain_text(person.get(f"/hub/sessions/{name}"))


def attempts(place: ClusterPortal, name: str) -> list[float]:
    """Return when the queue tried to start a session, in seconds of the day, from the hub's log."""
    words = re.compile(rf"(\d\d):(\d\d):(\d\d\.\d+).*queue: the turn of \S+:{name}\b")
    found = (words.search(line) for line in place.portal.log.read_text().splitlines())
    return [int(one[1]) * 3600 + int(one[2]) * 60 + float(one[3]) for one in found if one]


def test_a_launch_that_the_quota_refuses_keeps_its_place(place: ClusterPortal) -> None:
    operator = Operator(place.portal)
    anna, ben = place.portal.login("anna"), place.portal.login("ben")
    first, second = anna.launch("light", wait=False), anna.launch("light", wait=False)
    for name in (first, second):
        anna.wait_ready(name, 240)
    # who has no session yet comes before those who have
    third = ben.launch("light", wait=False)
    (refused,) = within(60, lambda: [one for one in tickets(operator) if "processors" in one["words"]])
    assert refused["session"] == third
    # the numbers are the cluster's, and its own words are for administrators
    said = within(60, lambda: page(ben, third) if "0.3 processors" in page(ben, third) else "")
    assert "exceeded quota" not in said
    assert "exceeded quota" in place.portal.log.read_text()
    # it tries again, less and less often, and is no failure of the hub
    tried = within(60, lambda: one if len(one := attempts(place, third)) >= 4 else None)
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
    print(f"tried again after {', '.join(f'{one:.1f}' for one in pauses)} s")
    assert pauses == sorted(pauses)
    assert pauses[-1] > 1.5 * pauses[0]
    assert place.portal.process.poll() is None
    # somebody who comes later waits behind it
    fourth = anna.launch("light", wait=False)
    time.sleep(2)
    waiting = {one["session"]: one for one in tickets(operator)}
    assert waiting[third]["since"] == refused["since"]
    assert waiting[third]["since"] <= waiting[fourth]["since"]
    assert len(place.pods()) == 2
    anna.stop(first)
    ben.wait_ready(third, 120)
    found = anna.get(f"/hub/api/users/{anna.name}").json()["servers"]
    assert not found.get(fourth, {}).get("ready")
    anna.stop(second)
    anna.wait_ready(fourth, 120)
    assert tickets(operator) == []
    ben.stop(third)
    anna.stop(fourth)
    within(60, lambda: not place.pods())
