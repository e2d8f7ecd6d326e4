"""Each kind of storage: which volume a directory becomes, who walks its path, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from daas_hub.errors import ConfigurationError, StorageProblem
from daas_hub.spawners.kubernetes.pod import pod_for
from daas_hub.spawners.kubernetes.volumes import (
    ClaimStorage,
    CsiStorage,
    HostPathStorage,
    NfsStorage,
    Storage,
    Volumes,
)
from tests.kubernetes.plans import DATA, DESKTOP, HOME, IDENTITY, PLAIN, PROCESSED, mount
from tests.kubernetes.pod_security import VOLUMES

ROOT = PurePosixPath("/data")
EVERY: tuple[Storage, ...] = (
    ClaimStorage(ROOT, "data"),
    CsiStorage(ROOT, "csi.example.org", {}, "path"),
    NfsStorage(ROOT, "nfs.example.org", "/export"),
    HostPathStorage(ROOT, "/gpfs/data"),
)


def volumes_with(*storages: Storage, node_storage: bool = True) -> Volumes:
    return Volumes(storages, node_storage=node_storage)


def test_it_is_known_who_walks_the_path() -> None:
    """What matters is whether it is root of the node, which storage may squash."""
    by_path, as_a_whole = EVERY[1], CsiStorage(ROOT, "csi.example.org")
    assert by_path.walker == "the CSI driver csi.example.org"
    assert all("root of the node" in one.walker for one in (*EVERY, as_a_whole) if one is not by_path)
    creates = [one for one in (*EVERY, as_a_whole) if "creates" in one.walker]
    assert creates == [EVERY[0], as_a_whole]


@pytest.mark.parametrize("storage", EVERY, ids=lambda one: one.kind)
def test_what_needs_the_node_is_what_the_restricted_profile_refuses(storage: Storage) -> None:
    volumes = volumes_with(storage)
    volumes.add(DATA, "/home/anna/data")
    (volume,) = volumes.volumes
    assert storage.needs_node_access is not (set(volume) - {"name"} <= VOLUMES)


@pytest.mark.parametrize("storage", EVERY, ids=lambda one: one.kind)
def test_a_place_must_say_so(storage: Storage) -> None:
    volumes = volumes_with(storage, node_storage=False)
    if storage.needs_node_access:
        with pytest.raises(StorageProblem, match="not available where") as refusal:
            volumes.add(DATA, "/home/anna/data")
        assert "node_storage" in refusal.value.detail
        assert "/data" not in str(refusal.value)
    else:
        volumes.add(DATA, "/home/anna/data")


@pytest.mark.parametrize("storage", EVERY, ids=lambda one: one.kind)
def test_raw_data_are_read_only_whatever_has_them(storage: Storage) -> None:
    volumes = volumes_with(storage)
    volumes.add(DATA, "/home/anna/data")
    volumes.add(PROCESSED, "/home/anna/processed")
    raw, processed = volumes.mounts
    assert (raw["readOnly"], raw["recursiveReadOnly"]) == (True, "Enabled")
    assert not {"readOnly", "recursiveReadOnly", "mountPropagation", "subPathExpr"} & set(processed)


WHERE: dict[str, tuple[Storage, dict[str, Any], str | None]] = {
    "claim": (ClaimStorage(ROOT, "c"), {"persistentVolumeClaim": {"claimName": "c"}}, "visitor/MA-4242/2"),
    "claim with a path": (
        ClaimStorage(ROOT, "c", "/top/"), {"persistentVolumeClaim": {"claimName": "c"}}, "top/visitor/MA-4242/2",
    ),
    "csi, by attribute": (
        CsiStorage(ROOT, "d", {"server": "s"}, "share", "/export", "login"),
        {"csi": {"driver": "d", "readOnly": True, "nodePublishSecretRef": {"name": "login"},
                 "volumeAttributes": {"server": "s", "share": "/export/visitor/MA-4242/2"}}},
        None,
    ),
    "csi, as a whole": (
        CsiStorage(ROOT, "d", {"server": "s"}, base="top"),
        {"csi": {"driver": "d", "readOnly": False, "volumeAttributes": {"server": "s"}}}, "top/visitor/MA-4242/2",
    ),
    "nfs": (
        NfsStorage(ROOT, "n", "/export"),
        {"nfs": {"server": "n", "path": "/export/visitor/MA-4242/2", "readOnly": True}}, None,
    ),
    "hostPath": (
        HostPathStorage(ROOT, "/gpfs"), {"hostPath": {"path": "/gpfs/visitor/MA-4242/2", "type": "Directory"}}, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHERE)
def test_where_a_directory_is(name: str) -> None:
    storage, source, sub_path = WHERE[name]
    volumes = volumes_with(storage)
    volumes.add(DATA, "/home/anna/data")
    assert [{key: value for key, value in one.items() if key != "name"} for one in volumes.volumes] == [source]
    assert volumes.mounts[0].get("subPath") == sub_path


def test_the_top_of_a_volume_has_no_sub_path() -> None:
    volumes = volumes_with(ClaimStorage(DATA.source, "c"))
    volumes.add(DATA, "/home/anna/data")
    assert "subPath" not in volumes.mounts[0]


def test_attributes_of_a_driver_are_not_shared_between_directories() -> None:
    volumes = volumes_with(CsiStorage(ROOT, "d", {"server": "s"}, "share"))
    volumes.add(DATA, "/home/anna/data")
    volumes.add(PROCESSED, "/home/anna/processed")
    shares = [one["csi"]["volumeAttributes"]["share"] for one in volumes.volumes]
    assert shares == ["/visitor/MA-4242/2", "/processed/MA-4242"]


def test_directories_on_one_claim_share_its_volume() -> None:
    volumes = volumes_with(ClaimStorage(ROOT, "data"))
    for one in (DATA, PROCESSED):
        volumes.add(one, f"/home/anna/{one.target}")
    assert [one["name"] for one in volumes.mounts] == ["storage-0", "storage-0"]


def test_directory_without_storage_is_a_sentence() -> None:
    with pytest.raises(StorageProblem, match="'home' is not available where this session would run") as refusal:
        volumes_with(ClaimStorage(ROOT, "data")).add(HOME, "/home/anna")
    assert "/gpfs/homes" in refusal.value.detail


@pytest.mark.parametrize("path", ["/data2/x", "/dat", "/"])
def test_prefix_is_of_whole_names(path: str) -> None:
    with pytest.raises(StorageProblem):
        volumes_with(ClaimStorage(ROOT, "data")).add(mount(path, "data"), "/home/anna/data")


def test_pattern_is_resolved_beforehand() -> None:
    with pytest.raises(StorageProblem, match="was not found"):
        volumes_with(ClaimStorage(ROOT, "data")).add(replace(DATA, pattern=True), "/home/anna/data")


# -- an administrator's volumes --------------------------------------------------------------------------------------

TOOLS = {"name": "extra-tools", "persistentVolumeClaim": {"claimName": "tools", "readOnly": True}}
AT_TOOLS = {"name": "extra-tools", "mountPath": "/opt/tools", "readOnly": True}


def test_programs_of_the_facility() -> None:
    pod = pod_for(DESKTOP, replace(PLAIN, volumes=(TOOLS,), volume_mounts=(AT_TOOLS,)), IDENTITY)
    assert TOOLS in pod["spec"]["volumes"]
    # also of a file system that is mounted below it
    assert AT_TOOLS | {"recursiveReadOnly": "Enabled"} in pod["spec"]["containers"][0]["volumeMounts"]


@pytest.mark.parametrize(
    ("volume", "at", "words"),
    [
        (TOOLS | {"name": "tmp"}, {}, "a name of the session's own"),
        (TOOLS | {"name": "storage-0"}, {}, "a name of the session's own"),
        ({"name": "extra-tools", "hostPath": {"path": "/"}}, {}, "not a volume for sessions"),
        ({"name": "extra-tools", "cephfs": {"monitors": ["m"]}}, {}, "not a volume for sessions"),
        (TOOLS | {"nfs": {}}, {}, "not a volume for sessions"),
        (TOOLS, {"mountPath": "/home/anna"}, "a directory of the session's own"),
        (TOOLS, {"mountPath": "/home"}, "a directory of the session's own"),
        (TOOLS, {"mountPath": "/home/anna/data/more"}, "a directory of the session's own"),
        (TOOLS, {"mountPath": "/etc/passwd"}, "a directory of the session's own"),
        (TOOLS, {"mountPath": "/etc"}, "a directory of the session's own"),
        (TOOLS, {"mountPath": "/"}, "a directory of the session's own"),
        (TOOLS, {"mountPath": "tools"}, "cannot be mounted"),
        (TOOLS, {"mountPath": "/a/../etc"}, "cannot be mounted"),
        (TOOLS, {"name": "extra-others"}, "cannot be mounted"),
        (TOOLS, {"readOnly": False}, "writable in the system"),
        (TOOLS, {"subPathExpr": "$(HOME)"}, "not a plain mount"),
        (TOOLS, {"mountPropagation": "HostToContainer"}, "not a plain mount"),
        (TOOLS, {"recursiveReadOnly": "IfPossible"}, "not a plain mount"),
        (TOOLS, {"subPath": "../others"}, "not a plain mount"),
        (TOOLS, {"subPath": "/others"}, "not a plain mount"),
        ({"name": "extra-tools", "emptyDir": {}}, {}, "could fill its node"),
        ({"name": "extra-tools", "emptyDir": None}, {}, "could fill its node"),
        (
            {"name": "extra-tools", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {},
            "a token of the cluster",
        ),
        (TOOLS | {"name": "extra-Tools"}, {}, "a name of the session's own"),
    ],
)
def test_what_an_administrator_may_not_mount(volume: dict[str, Any], at: dict[str, Any], words: str) -> None:
    place = replace(PLAIN, volumes=(volume,), volume_mounts=(AT_TOOLS | at,))
    with pytest.raises(ConfigurationError, match=words):
        pod_for(DESKTOP, place, IDENTITY)


def test_scratch_outside_the_system_may_be_written() -> None:
    at = {"name": "extra-tools", "mountPath": "/scratch"}
    pod = pod_for(DESKTOP, replace(PLAIN, volumes=(TOOLS,), volume_mounts=(at,)), IDENTITY)
    assert at in pod["spec"]["containers"][0]["volumeMounts"]
