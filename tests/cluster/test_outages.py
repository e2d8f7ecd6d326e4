"""Parts of the cluster away or killed under ten sessions: none is lost, none is an orphan, none runs twice (A1 A2 A5).

The rows of a minute and more have the marker `outages`: `make test-outages`.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster, pod
from tests.cluster.portal import on_the_node, start_cluster_portal
from tests.cluster.ten import CONFIG, COUNT, Ten, during
from tests.live_portal import remove
from tests.waiting import within

#: Seconds of the longest absence of the API server.
LONG_S = float(os.environ.get("DAAS_TEST_LONG_OUTAGE_S", "600"))
SINCE = "The cluster that runs it does not answer; what it does is not known since"
SILENT = "Its computer does not answer since"


@pytest.fixture(scope="module")
def ten(cluster: Cluster) -> Iterator[Ten]:
    """Ten sessions under one hub, for all rows."""
    namespace = f"daas-outages-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
    try:
        place = start_cluster_portal(cluster, namespace, {"desktop": on_the_node("desktop")}, more_config=CONFIG)
        made = Ten(place, place.portal.login("anna"))
        try:
            made.launch()
            yield made
        finally:
            made.place.portal.stop()
            remove(made.place.portal)
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.mark.parametrize("part", ["kubelet", "containerd", "kube-router", "kube-controller-manager"])
def test_a_part_that_is_killed_costs_no_session(ten: Ten, part: str) -> None:
    """People work on meanwhile, and no card worries them: the sessions themselves report that they live."""
    with ten.away(part):
        during(3, ten.require_known)
    assert ten.cards_with("does not answer") == 0
    ten.require_same()


def test_an_api_server_that_is_away_for_5_s_is_not_noticed(ten: Ten) -> None:
    with ten.away("kube-apiserver"):
        during(5, ten.require_known)
        assert ten.cards_with("does not answer") == 0
    ten.require_same()


def test_a_hub_that_starts_while_the_api_server_is_away_forgets_nobody(ten: Ten) -> None:
    with ten.away("kube-apiserver"):
        ten.kill_hub()
        ten.start_hub()
        ten.within_30_s("what it does is not known since the portal was started")
        ten.require_known()
    within(30, lambda: not ten.cards_with("not known since"))
    ten.require_same()


def test_a_silent_node_is_said_within_30_s_and_nobody_is_lost(ten: Ten) -> None:
    """Kubernetes itself takes 50 s to notice."""
    with ten.silent():
        took = ten.within_30_s(SILENT)
        assert sorted(ten.servers()) == sorted(ten.names)
    print(f"said after {took:.1f} s")
    within(30, lambda: not ten.cards_with(SILENT))
    ten.require_same()


@pytest.mark.outages
def test_an_api_server_that_is_away_for_90_s_is_said_and_nobody_is_lost(ten: Ten) -> None:
    """A1: KubeSpawner's watch ends after 51 s, and nobody notices."""
    with ten.away("kube-apiserver"):
        began = time.monotonic()
        within(40, lambda: ten.cards_with(SINCE) == COUNT)
        said = time.monotonic() - began
        during(90 - said, ten.require_known)
    back = time.monotonic()
    within(30, lambda: not ten.cards_with(SINCE))
    print(f"said after {said:.1f} s, taken back {time.monotonic() - back:.1f} s after the API server was ready")
    ten.require_same()
    # a start at once, and a pod that somebody deletes; scheduler and kubelet ask again in growing intervals
    name = ten.anna.launch("light", wait=False)
    ten.anna.wait_ready(name, 180)
    deleted = next(one["metadata"]["name"] for one in ten.all_pods() if one["metadata"]["name"] not in ten.uids)
    ten.place.cluster.kubectl("-n", ten.place.namespace, "delete", "pod", deleted, "--now", "--wait=false")
    within(30, lambda: name not in ten.servers())
    within(30, lambda: len(ten.all_pods()) == COUNT)
    assert "It was removed from outside this portal." in ten.home()
    ten.anna.stop(name)
    ten.require_same()


@pytest.mark.outages
@pytest.mark.timeout(900)
def test_ten_minutes_without_api_server_and_the_hub_restarted_in_between(ten: Ten) -> None:
    with ten.away("kube-apiserver"):
        began = time.monotonic()
        # not every five seconds, after which the proxy closes an idle connection
        during(LONG_S / 2, lambda: time.sleep(3) or ten.require_known())
        assert ten.cards_with(SINCE) == COUNT
        ten.kill_hub()
        ten.start_hub()
        ten.within_30_s("what it does is not known since the portal was started")
        during(LONG_S - (time.monotonic() - began), lambda: time.sleep(3) or ten.require_known())
    back = time.monotonic()
    within(30, lambda: not ten.cards_with("not known since"))
    print(f"known again {time.monotonic() - back:.1f} s after the API server was ready")
    # the node was not heard of either: nothing may follow from that
    during(20, ten.require_same)


@pytest.mark.outages
@pytest.mark.timeout(900)
def test_a_kubelet_that_is_away_for_longer_than_kubernetes_waits_evicts_nobody(ten: Ten) -> None:
    """Kubernetes evicts after 50 s and five minutes, as a pod without our tolerations shows."""
    stock = pod("stock")
    ten.place.cluster.create(stock, "-n", ten.place.namespace)
    ten.place.cluster.wait_for_phase(ten.place.namespace, "stock", "Running")

    def is_evicted() -> bool:
        found = ten.place.cluster.get("-n", ten.place.namespace, "pod", "stock")
        return "deletionTimestamp" in found["metadata"]

    try:
        with ten.away("kubelet"):
            began = time.monotonic()
            while not is_evicted():
                assert time.monotonic() - began < 500
                ten.require_known()
                time.sleep(5)
            print(f"a stock pod was evicted after {time.monotonic() - began:.0f} s")
            during(20, ten.require_known)
    finally:
        ten.place.cluster.kubectl("-n", ten.place.namespace, "delete", "pod", "stock", "--now", "--ignore-not-found")
    within(60, lambda: len(ten.all_pods()) == COUNT)
    ten.require_same()
