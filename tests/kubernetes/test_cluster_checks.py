"""What the doctor reads with an administrator's kubeconfig, with a real API server; and policies as they are read."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.findings import Finding, Verdict
from daas_hub.spawners.kubernetes.cluster_checks import examine_cluster
from daas_hub.spawners.kubernetes.network_policy import Network, Peer, default_deny, policies
from daas_hub.spawners.kubernetes.policy_reading import is_default_deny, opened_by, selects
from daas_hub.spawners.kubernetes.spawner import ProposalKubeSpawner
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.plans import LICENSED

MERGE = {"Content-Type": "application/merge-patch+json"}
ABLE = {
    "features": {"supplementalGroupsPolicy": True},
    "runtimeHandlers": [{"name": "", "features": {"recursiveReadOnlyMounts": True}}],
}
Look = Callable[..., Awaitable[dict[str, Finding]]]


@pytest.fixture
def look(api: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Examine the cluster as its administrator."""
    monkeypatch.setenv("KUBECONFIG", str(api.admin_conf))

    async def examine(**settings: Any) -> dict[str, Finding]:
        given = {"hub_id": "portal", "gateway_address": "10.96.40.12:8012", "namespace": namespace, **settings}
        spawner = ProposalKubeSpawner(config=Config({"ProposalKubeSpawner": given}))
        return {one.key: one for one in await examine_cluster(spawner)}

    return examine


@pytest.fixture
def closed(api: ApiServer, namespace: str) -> str:
    """A namespace with the policies of a place, and the level *restricted*."""
    network = Network(
        namespace, "portal", "kubernetes", 8888, (Peer(pods={"a": "b"}),), (Peer(pods={"a": "b"}),), 8012,
        {"licence.facility.org": ("192.0.2.17",)},
    )  # fmt: skip
    for one in policies(network, [("licence.facility.org:443",)]):
        apply(api, namespace, one)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.call("PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}}, headers=MERGE)
    return namespace


@pytest.fixture
def node(api: ApiServer, namespace: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Make nodes with some features, which are labelled with the test's namespace."""
    made = []

    def make(status: dict[str, Any]) -> None:
        name = f"{namespace}-{len(made)}"
        api.call("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": {"of": namespace}}})
        made.append(name)
        api.call("PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, headers=MERGE)

    yield make
    for name in made:
        api.call("DELETE", f"/api/v1/nodes/{name}")


def apply(api: ApiServer, namespace: str, policy: dict[str, Any]) -> None:
    api.call("POST", f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies", policy)


async def test_a_place_in_order(closed: str, look: Look, node: Any) -> None:
    node(ABLE)
    found = await look(node_selector={"of": closed})
    assert {key: one.verdict for key, one in found.items()} == {
        "sessions.namespace": Verdict.OK, "sessions.network": Verdict.OK, "sessions.nodes": Verdict.OK,
    }  # fmt: skip


async def test_without_an_administrators_file_nothing_is_read(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG")
    (found,) = (await look()).values()
    assert found.verdict is Verdict.NOT_CHECKED
    assert "KUBECONFIG" in found.result


async def test_an_administrator_of_another_cluster_reads_nothing(look: Look) -> None:
    found = await look(namespace="elsewhere")
    assert found["sessions.cluster-wide"].verdict is Verdict.NOT_CHECKED


async def test_a_cluster_that_is_away_is_said(look: Look, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert {one.verdict for one in (await look()).values()} == {Verdict.NOT_CHECKED}


@pytest.mark.parametrize(
    ("selector", "rules", "words"),
    [
        ({}, {"ingress": [{}], "policyTypes": ["Ingress"]}, "ingress from everywhere"),
        ({}, {"egress": [{}], "policyTypes": ["Egress"]}, "egress to everywhere"),
        # a name server, which the cluster's administrators allow everybody
        (
            {"matchLabels": {"app.kubernetes.io/managed-by": "daas-hub"}},
            {"egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}], "policyTypes": ["Egress"]},
            "egress",
        ),
        (
            {"matchExpressions": [{"key": "daas-hub/egress", "operator": "Exists"}]},
            {"ingress": [{"from": [{"namespaceSelector": {}}]}], "policyTypes": ["Ingress"]},
            "ingress",
        ),
        (
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["database"]}]},
            {"ingress": [{"from": [{"podSelector": {}}]}], "policyTypes": ["Ingress"]},
            "ingress",
        ),
    ],
)
async def test_a_policy_of_others_that_opens_sessions_is_found(
    api: ApiServer, closed: str, look: Look, selector: dict[str, Any], rules: dict[str, Any], words: str
) -> None:
    """F2: policies add up, so that one more can open what the default deny has closed."""
    apply(api, closed, {"metadata": {"name": "allow-more"}, "spec": {"podSelector": selector, **rules}})
    found = (await look())["sessions.network"]
    assert found.verdict is Verdict.PROBLEM
    assert "allow-more" in found.result
    assert words in found.result
    assert "policies add up" in found.result


async def test_policies_of_other_pods_are_theirs(api: ApiServer, closed: str, look: Look) -> None:
    everything = {"ingress": [{}], "policyTypes": ["Ingress"]}
    for number, selector in enumerate(
        (
            {"matchLabels": {"app": "database"}},
            {"matchExpressions": [{"key": "app.kubernetes.io/managed-by", "operator": "DoesNotExist"}]},
            {"matchExpressions": [{"key": "daas-hub/hub", "operator": "In", "values": ["another"]}]},
            {"matchExpressions": [{"key": "daas-hub/start", "operator": "DoesNotExist"}]},
        )
    ):
        apply(api, closed, {"metadata": {"name": f"other-{number}"}, "spec": {"podSelector": selector, **everything}})
    # one more that closes is no problem
    apply(api, closed, default_deny(closed) | {"metadata": {"name": "closed-again"}})
    assert (await look())["sessions.network"].verdict is Verdict.OK


async def test_a_namespace_without_a_default_deny_is_found(look: Look) -> None:
    found = await look()
    assert found["sessions.network"].verdict is Verdict.PROBLEM
    assert "none of them denies" in found["sessions.network"].result
    assert found["sessions.namespace"].verdict is Verdict.WARNING


async def test_directories_of_nodes_need_a_namespace_that_lets_them_in(closed: str, look: Look) -> None:
    assert (await look(node_storage=True))["sessions.namespace"].verdict is Verdict.PROBLEM


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({}, "no strict groups, recursive read-only mounts"),
        ({**ABLE, "features": {"supplementalGroupsPolicy": False}}, "no strict groups"),
        ({**ABLE, "runtimeHandlers": [{"name": "kata", "features": {"recursiveReadOnlyMounts": True}}]}, "read-only"),
    ],
)
async def test_nodes_that_cannot_are_named(closed: str, look: Look, node: Any, status: Any, words: str) -> None:
    node(status)
    found = (await look(node_selector={"of": closed}))["sessions.nodes"]
    assert found.verdict is Verdict.PROBLEM
    assert words in found.result
    # with one that can, sessions start there
    node(ABLE)
    assert (await look(node_selector={"of": closed}))["sessions.nodes"].verdict is Verdict.WARNING


async def test_a_selector_of_no_node_is_found(look: Look) -> None:
    assert "there are none" in (await look(node_selector={"of": "nobody"}))["sessions.nodes"].result


async def test_the_priority_class_is_looked_at(api: ApiServer, namespace: str, look: Look) -> None:
    assert (await look(priority_class_name=namespace))["sessions.priority"].verdict is Verdict.PROBLEM
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    api.call("POST", path, {"metadata": {"name": namespace}, "value": 10})
    found = (await look(priority_class_name=namespace))["sessions.priority"]
    assert (found.verdict, "end other people's" in found.result) == (Verdict.PROBLEM, True)
    api.call("POST", path, {"metadata": {"name": f"{namespace}-2"}, "value": 10, "preemptionPolicy": "Never"})
    assert (await look(priority_class_name=f"{namespace}-2"))["sessions.priority"].verdict is Verdict.OK


def test_our_own_policies_are_read_as_they_are_meant() -> None:
    network = Network(
        "daas", "portal", "kubernetes", 8888, (Peer(pods={"a": "b"}),), (Peer(pods={"a": "b"}),), 8012,
        {host.partition(":")[0]: ("192.0.2.17",) for host in LICENSED.egress},
    )  # fmt: skip
    deny, *exceptions = policies(network, [LICENSED.egress])
    assert is_default_deny(deny)
    assert opened_by(deny) == []
    labels = {"app.kubernetes.io/managed-by": "daas-hub", "daas-hub/hub": "portal", "daas-hub/place": "kubernetes"}
    assert all(selects(one, labels) for one in (deny, *exceptions))
    assert [opened_by(one) for one in exceptions] == [["ingress"], ["egress"], ["egress"]]
    half = copy.deepcopy(deny)
    half["spec"]["policyTypes"] = ["Ingress"]
    assert not is_default_deny(half)
