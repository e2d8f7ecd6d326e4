"""The policies of the sessions' namespace: everything closed, and each allowance named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.kubernetes.labels import EGRESS_LABEL, HUB_LABEL, PLACE_LABEL
from daas_hub.spawners.kubernetes.network_policy import (
    NO_EGRESS,
    Network,
    Peer,
    default_deny,
    egress_label,
    egress_problems,
    host_aliases,
    policies,
)
from daas_hub.spawners.kubernetes.pod import pod_for
from tests.kubernetes.api_types import round_trip
from tests.kubernetes.plans import CASES, IDENTITY, LICENSED

GOLDEN = Path(__file__).with_name("network_policies.json")
NETWORK = Network(
    "daas-sessions",
    "hub-a1b2",
    "kubernetes",
    8888,
    proxy=(Peer(pods={"app": "proxy"}, namespaces={"kubernetes.io/metadata.name": "daas"}), Peer("10.88.77.1/32")),
    hub=(Peer(pods={"app": "hub"}, namespaces={"kubernetes.io/metadata.name": "daas"}),),
    hub_port=8083,
    addresses={"licence.example.org": ("192.0.2.17", "198.51.100.0/24"), "db.example.org": ("2001:db8::5",)},
)
SETS = [(), LICENSED.egress, ("db.example.org:5432", "licence.example.org:27000"), LICENSED.egress[::-1]]


def test_golden() -> None:
    assert policies(NETWORK, SETS) == json.loads(GOLDEN.read_text())


async def test_every_field_is_one_of_kubernetes() -> None:
    for policy in policies(NETWORK, SETS):
        assert await round_trip(policy, "V1NetworkPolicy") == policy


def allows(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether a policy is for a pod with these labels."""
    return policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items()


@pytest.mark.parametrize(("case", "expected"), [("desktop", 3), ("licensed", 4)])
def test_a_pod_chooses_its_policies_by_its_labels(case: str, expected: int) -> None:
    labels = pod_for(*CASES[case], IDENTITY)["metadata"]["labels"]
    chosen = [one for one in policies(NETWORK, SETS) if allows(one, labels)]
    assert len(chosen) == expected
    addresses = [peer for one in chosen for rule in one["spec"].get("egress", ()) for peer in rule["to"]]
    assert ({"ipBlock": {"cidr": "192.0.2.17/32"}} in addresses) is (case == "licensed")


def test_default_deny_is_for_every_pod_whoever_made_it() -> None:
    policy = default_deny("daas-sessions")
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert allows(policy, {})


def test_no_allowance_is_for_everybody() -> None:
    """In the API an empty list of peers or ports means all of them."""
    for policy in policies(NETWORK, SETS)[1:]:
        assert policy["spec"]["podSelector"]["matchLabels"].keys() >= {HUB_LABEL, PLACE_LABEL}
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, ()):
                assert rule[peers]
                assert rule["ports"]
                assert {} not in rule[peers]


@pytest.mark.parametrize("name", ["proxy", "hub"])
def test_nobody_is_not_taken_for_everybody(name: str) -> None:
    with pytest.raises(ConfigurationError, match="names nobody"):
        policies(replace(NETWORK, **{name: ()}), SETS)


def test_policy_is_one_for_each_set_in_whatever_order() -> None:
    assert egress_label(LICENSED.egress) == egress_label(LICENSED.egress[::-1]) == egress_label(LICENSED.egress * 2)
    assert egress_label(()) == NO_EGRESS
    assert len({egress_label(one) for one in SETS}) == 3
    names = [one["metadata"]["name"] for one in policies(NETWORK, SETS)]
    assert len(names) == len(set(names)) == 5
    assert max(map(len, names)) <= 63


def test_label_is_no_other_sets() -> None:
    """Joined texts would make ("a:1", "b:2") and ("a:1b:2",) one."""
    assert egress_label(["a:1", "b:2"]) != egress_label(["a:1b:2"])


def test_two_places_in_a_namespace_share_the_deny_alone() -> None:
    one, other = (policies(replace(NETWORK, place=place), SETS) for place in ("kubernetes", "large"))
    shared = {each["metadata"]["name"] for each in one} & {each["metadata"]["name"] for each in other}
    assert shared == {"daas-default-deny"}
    labels = pod_for(*CASES["licensed"], IDENTITY)["metadata"]["labels"]
    assert [each["metadata"]["name"] for each in other if allows(each, labels)] == ["daas-default-deny"]


@pytest.mark.parametrize(
    ("addresses", "words"),
    [
        ((), "has no address"),
        (("licence",), "is not an IP address"),
        (("0.0.0.0/0",), "more than the addresses of one service"),
        (("10.0.0.0/8",), "more than the addresses of one service"),
        (("127.0.0.1",), "belongs to no service"),
        (("169.254.169.254",), "belongs to no service"),
        (("::1",), "belongs to no service"),
        (("192.0.2.17/24",), "is not an IP address"),
        (("::ffff:169.254.169.254",), "belongs to no service"),
        (("198.51.100.0/24",), "has networks only"),
    ],
)
def test_addresses_that_cannot_be_said(addresses: tuple[str, ...], words: str) -> None:
    declared = {"licence.example.org": addresses}
    with pytest.raises(ConfigurationError, match=words):
        host_aliases(LICENSED.egress, declared)
    (problem,) = egress_problems({"pymca": LICENSED.egress, "other": LICENSED.egress}, declared)
    assert words in str(problem)
    assert problem.setting == "ProposalKubeSpawner.egress_addresses"


def test_every_address_of_a_host_has_its_name() -> None:
    declared = {"licence.example.org": ("192.0.2.17", "192.0.2.18"), "same.example.org": ("192.0.2.17",)}
    assert host_aliases(["licence.example.org:1", "same.example.org:2"], declared) == [
        {"ip": "192.0.2.17", "hostnames": ["licence.example.org", "same.example.org"]},
        {"ip": "192.0.2.18", "hostnames": ["licence.example.org"]},
    ]


def test_label_of_a_pod_is_that_of_its_policy() -> None:
    label = pod_for(*CASES["licensed"], IDENTITY)["metadata"]["labels"][EGRESS_LABEL]
    selectors = [one["spec"]["podSelector"].get("matchLabels", {}) for one in policies(NETWORK, SETS)]
    assert label in [one.get(EGRESS_LABEL) for one in selectors]
