"""What check-config says of a place's pods before anybody launches one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.spawners.kubernetes.checks import storage_findings
from daas_hub.spawners.kubernetes.pod_settings import Placement, SizeInPlace
from daas_hub.spawners.kubernetes.settings_checks import POD_FIELDS, pods_problems, storage_problems
from daas_hub.spawners.kubernetes.spawner import ProposalKubeSpawner
from daas_hub.spawners.kubernetes.volumes import ClaimStorage, HostPathStorage, NfsStorage
from tests.kubernetes.plans import CLAIMS, LAB, LICENSED, PYMCA

MEANT: dict[str, Any] = {
    "allow_tags": True,
    "by_beamline": {"ID21": Placement({"zone": "id21"})},
    "by_size": {"gpu": SizeInPlace(resources={"nvidia.com/gpu": 1})},
    "egress_addresses": {"licence.example.org": ["192.0.2.17"]},
    "ephemeral_bytes": 2**30,
    "grace_by_application": {"pymca": 60},
    "port": 8888,
}


def test_every_field_has_an_example() -> None:
    assert set(POD_FIELDS) == set(MEANT)
    assert list(pods_problems(MEANT)) == []


@pytest.mark.parametrize("name", POD_FIELDS)
@pytest.mark.parametrize("value", [None, "x", 0, -1, {"a": "b"}, {1: 2}, [1], {"a": [1]}, {"a": {}}])
def test_other_types_are_a_sentence(name: str, value: Any) -> None:
    if (name, value) == ("egress_addresses", {"a": "b"}) or not isinstance(value, dict):
        (problem,) = pods_problems({name: value})
        assert name in str(problem)
        assert "Example" in problem.remedy
    else:
        assert len(list(pods_problems({name: value}))) == 1


@pytest.mark.parametrize("name", ["node_selector", "storage", "privileged", "labels", "hub_id", "placement"])
def test_unknown_fields_and_those_with_a_setting_are_named(name: str) -> None:
    (problem,) = pods_problems({name: {}})
    assert name in str(problem)
    assert problem.setting == "ProposalKubeSpawner.pods"


def test_storage() -> None:
    root = PurePosixPath("/data")
    assert list(storage_problems(CLAIMS, node_storage=False)) == []
    wrong = [
        ClaimStorage(root, "a"), ClaimStorage(root, "b"), ClaimStorage(PurePosixPath("data"), "c"),
        ClaimStorage(PurePosixPath("/a/../b"), "d"), {"cephfs": {}}, NfsStorage(PurePosixPath("/n"), "s", "/e"),
        HostPathStorage(PurePosixPath("/h"), "/h"),
    ]  # fmt: skip
    words = [str(one) for one in storage_problems(wrong, node_storage=False)]
    for part in (
        "there twice",
        "'data': is not an absolute",
        "'/a/../b'",
        "CephFS",
        "'/n': is nfs",
        "'/h': is hostPath",
    ):
        assert any(part in one for one in words), part
    assert len(words) == 6
    assert len(list(storage_problems(wrong, node_storage=True))) == 4


def problems(pods: dict[str, Any], storage: list[Any], *applications: Any) -> list[str]:
    place = {"hub_id": "a", "gateway_address": "192.0.2.1:8012", "pods": pods, "storage": storage}
    config = Config({
        "ProposalKubeSpawner": place, "JupyterHub": {"authenticator_class": "dummy", "allow_named_servers": True},
        "Facility": {"identity_of": lambda user, auth_state: None},
    })  # fmt: skip
    catalogue = SimpleNamespace(applications={one.name: one for one in applications}, sizes={})
    facility: Any = SimpleNamespace(applications=catalogue)
    return [str(one) for one in ProposalKubeSpawner.configuration_problems(config, facility)]


def test_check_config() -> None:
    storage = list(CLAIMS)
    assert problems({}, storage, PYMCA, LAB) == []
    assert problems(MEANT, storage, PYMCA, LAB, LICENSED) == []
    (found,) = problems({}, storage, LICENSED, replace(LICENSED, name="other"))
    assert "licence.example.org" in found
    (found,) = problems({}, storage, replace(PYMCA, image="localhost/pymca:1"))
    assert "whose tag may be another image" in found
    assert problems({"allow_tags": True}, storage, replace(PYMCA, image="localhost/pymca:1")) == []
    (found,) = problems({"colour": "red"}, storage, replace(PYMCA, image=""))
    assert "is unknown" in found
    (found,) = problems({}, [], PYMCA)
    assert "no session has a home" in found


def test_doctor_says_who_walks_the_path() -> None:
    place = {"hub_id": "a", "gateway_address": "192.0.2.1:8012", "storage": list(CLAIMS)}
    findings = storage_findings(ProposalKubeSpawner(config=Config({"ProposalKubeSpawner": place})))
    assert [one.verdict for one in findings] == ["ok", "ok"]
    assert "/data (claim): the kubelet, as root of the node" in findings[1].result
