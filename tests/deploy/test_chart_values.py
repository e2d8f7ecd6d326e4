"""The schema of the chart's values: what is misspelt is refused at every level, and what is there has its type."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "daas-hub"
SCHEMA = jsonschema.Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
VALUES["image"]["repository"] = "registry.facility.org/daas/hub"
VALUES["portal"]["url"] = "https://daas.facility.org"

Path_ = tuple[str, ...]

#: Whose names are the administrator's own.
FREE = {
    ("files",), ("applications",), ("existingHub", "hubLabels"), ("existingHub", "proxyLabels"),
    ("hub", "nodeSelector"), ("proxy", "nodeSelector"), ("proxy", "service", "annotations"), ("ingress", "annotations"),
    ("sessions", "namespace", "labels"), ("sessions", "egressAddresses"), ("gateway", "service", "annotations"),
}  # fmt: skip


def maps(values: dict[str, Any], path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of every map in the chart's values."""
    yield path
    for name, inside in values.items():
        if isinstance(inside, dict):
            yield from maps(inside, (*path, name))


def leaves(values: dict[str, Any], path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of every value that is no map."""
    for name, inside in values.items():
        if isinstance(inside, dict):
            yield from leaves(inside, (*path, name))
        else:
            yield (*path, name)


def changed(path: Path_, value: Any) -> dict[str, Any]:
    """Return the values with another one at a path."""
    values = copy.deepcopy(VALUES)
    inside = values
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = value
    return values


def problems(values: dict[str, Any]) -> list[str]:
    return [each.message for each in SCHEMA.iter_errors(values)]


def test_the_charts_own_values_are_in_order() -> None:
    assert problems(VALUES) == []
    assert set(maps(VALUES)) >= FREE


@pytest.mark.parametrize("path", sorted(set(maps(VALUES)) - FREE), ids=".".join)
def test_misspelt_value_is_refused(path: Path_) -> None:
    assert problems(changed((*path, "misspelt"), "x")) != []


@pytest.mark.parametrize("path", sorted(FREE), ids=".".join)
def test_name_of_the_administrators_own_is_taken(path: Path_) -> None:
    value = ["192.0.2.17"] if path[-1] == "egressAddresses" else "x"
    assert problems(changed((*path, "facility.org"), value)) == []


@pytest.mark.parametrize("path", sorted(leaves(VALUES)), ids=".".join)
@pytest.mark.parametrize("value", [{"a": [1]}, [["x"]]], ids=["a map", "a list of lists"])
def test_value_of_another_type_is_refused(path: Path_, value: Any) -> None:
    assert problems(changed(path, value)) != []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hub.resources.limits", {"memroy": "2Gi"}),
        ("hub.resources.limits", {"memory": "2 GB"}),
        ("hub.tolerations", [{"key": "a", "operater": "Exists"}]),
        ("hub.tolerations", [{"key": "a", "operator": "exists"}]),
        ("hub.affinity", {"nodeAffinty": {}}),
        ("hub.env", [{"name": "A", "valueForm": {}}]),
        ("hub.env", [{"name": "A", "value": 1}]),
        ("image.pullSecrets", ["registry"]),
        ("sessions.pullSecrets", [{"name": "registry"}]),
        ("sessions.quota", {"pod": "5"}),
        ("sessions.quota", {"pods": "five"}),
        ("sessions.nodeStorage", {"enabled": True, "hostPaths": [{"path": "/data", "readonly": True}]}),
        ("sessions.egressAddresses", {"daq.facility.org": ["daq"]}),
        ("networkPolicies.proxyFrom", [{"namespaceSelektor": {}}]),
        ("networkPolicies.proxyFrom", [{}]),
        ("proxy.service.type", "Loadbalancer"),
        ("hub.storage.size", "5 GB"),
    ],
)
def test_what_kubernetes_would_refuse_later_is_refused(path: str, value: Any) -> None:
    assert problems(changed(tuple(path.split(".")), value)) != []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hub.resources.limits", {"memory": "2.5Gi", "cpu": 2, "ephemeral-storage": "5Gi", "nvidia.com/gpu": 1}),
        ("hub.tolerations", [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}]),
        ("hub.env", [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]),
        ("hub.databaseSecret", "postgresql"),
        (
            "sessions.quota",
            {"pods": "500", "limits.memory": "2Ti", "requests.nvidia.com/gpu": 8, "count/secrets": 99},
        ),
        ("networkPolicies.proxyFrom", [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]),
        ("proxy.service", {"type": "LoadBalancer", "nodePort": None, "annotations": {"a": "b"}}),
    ],
)
def test_what_kubernetes_has_is_taken(path: str, value: Any) -> None:
    assert problems(changed(tuple(path.split(".")), value)) == []


CLUSTER = {"kubeconfigSecret": "south", "gatewayAddress": "192.0.2.10:8012", "podNetworks": ["10.60.0.0/16"]}
PLACE = {"name": "south", "title": "South hall", "sessions": {"namespace": {"name": "daas-south"}}, "cluster": CLUSTER}


def test_a_place_has_its_values() -> None:
    assert problems(changed(("places",), [PLACE])) == []
    assert (
        problems(changed(("places",), [PLACE | {"cluster": CLUSTER | {"gatewayAddress": "[2001:db8::1]:8012"}}])) == []
    )


@pytest.mark.parametrize(
    "change",
    [
        {"name": "South hall"},
        {"name": "south-hall-of-the-facility"},
        {"titel": "South hall"},
        {"state": "closed"},
        {"capacity": -1},
        {"applications": "imaging"},
        {"sessions": {"minId": 5}},
        {"sessions": {"namespace": "daas-south"}},
        {"sessions": {"namespace": {"name": "Daas_South"}}},
        {"sessions": {"nodeStorage": {"hostPaths": [{"path": "/", "readOnly": True}]}}},
        {"sessions": {"quota": {"sessions": 5}}},
        {"cluster": {}},
        {"cluster": CLUSTER | {"podNetworks": []}},
        {"cluster": CLUSTER | {"podNetworks": ["10.60.0.0"]}},
        {"cluster": CLUSTER | {"kubeconfigSecret": ""}},
        {"cluster": CLUSTER | {"gatewayAddress": "192.0.2.10"}},
        # sessions have no name server
        {"cluster": CLUSTER | {"gatewayAddress": "gateway.facility.org:8012"}},
    ],
    ids=str,
)
def test_a_place_that_cannot_be_meant_is_refused(change: dict[str, Any]) -> None:
    assert problems(changed(("places",), [PLACE | change])) != []


ADDRESSES = VALUES["existingHub"] | {
    "enabled": True, "serviceAccount": "hub", "addresses": ["192.0.2.0/28", "2001:db8::/64"]
}  # fmt: skip


def test_a_hub_elsewhere_has_addresses() -> None:
    assert problems(changed(("existingHub",), ADDRESSES)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"hubLabels": {"a": "b"}, "proxyLabels": {"a": "c"}},
        {"addresses": ["hub.facility.org"]},
        {"addresses": ["192.0.2.1"]},
        {"addresses": []},
        {"enabled": False},
    ],
    ids=["labels, too", "a name", "no network", "nothing", "not enabled"],
)
def test_addresses_that_cannot_be_meant_are_refused(change: dict[str, Any]) -> None:
    assert problems(changed(("existingHub",), ADDRESSES | change)) != []
