"""The pod of a plan on a real node: what its session finds, and that texts reach it as they are."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from daas_hub.launch import Plan
from daas_hub.spawners.guest_layout import identity_texts
from daas_hub.spawners.kubernetes.compare import differences
from daas_hub.spawners.kubernetes.labels import EGRESS_LABEL
from daas_hub.spawners.kubernetes.network_policy import egress_label
from daas_hub.spawners.kubernetes.pod import pod_for
from daas_hub.spawners.kubernetes.pod_settings import IDENTITY_FILES, PodIdentity, PodSettings
from daas_hub.spawners.kubernetes.reasons import ReasonKind, reason_of_event, reason_of_pod
from daas_hub.spawners.kubernetes.volumes import ClaimStorage, HostPathStorage, Storage
from tests.cluster.chart import LEAST, merged, objects, render
from tests.cluster.cluster import Cluster, Json
from tests.cluster.portal import on_the_node
from tests.kubernetes.plans import ANNA, NOTEBOOK, mount
from tests.waiting import within

#: What the session reports: who it is, what it may write, and texts of its environment.
PROBE = r"""
import json, os
home = os.environ["HOME"]
def write(path):
    try:
        open(os.path.join(path, ".probe"), "x").close()
    except OSError as error:
        return os.strerror(error.errno)
    return "done"
print(json.dumps({
    "ids": [os.getuid(), os.getgid(), sorted(os.getgroups())],
    "write": {one: write(home + one) for one in ("", "/Proposals", "/Proposals/MA-4242", "/Proposals/MA-4242/visit-2",
              "/Proposals/MA-4242/visit-2/below", "/Proposals/HC-17/processed")} | {
              one: write(one) for one in ("/", "/usr", "/etc", "/tmp", "/var/tmp", "/dev/shm", "/run/session")},
    "owners": [os.stat(home + one).st_uid for one in ("/Proposals", "/Proposals/MA-4242")],
    "title": os.environ["TITLE"], "token": os.environ["TOKEN"],
    "passwd": open("/etc/passwd").read().split(":")[0],
    "sees": sorted(os.listdir(home + "/Proposals/MA-4242/visit-2")),
}))
"""
TITLE = "$(TOKEN) $$(TOKEN) {username} $"
SECRET = "s3cret $(HOME)"


@pytest.fixture
def storage() -> Iterator[Path]:
    """A facility's storage on the node, with a home in which nothing is prepared."""
    folder = Path(tempfile.mkdtemp(prefix="daas-plans-", dir="/var/tmp"))
    folder.chmod(0o755)
    home = folder / "gpfs" / "homes" / "anna"
    visits = ("visitor/MA-4242/2/below", "visitor/MA-4242/3", "visitor/HC-17/1", "processed/HC-17")
    for path in (home, *(folder / "data" / one for one in visits)):
        path.mkdir(parents=True)
    (folder / "data" / "visitor" / "MA-4242" / "2" / "scan.h5").write_text("x")
    for path in folder.rglob("*"):
        shutil.chown(path, ANNA.uid, ANNA.gid)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run(
    cluster: Cluster, namespace: str, storage: Path, plan: Plan, *kinds: Storage, node_storage: bool = True
) -> tuple[Json, Json]:
    """Start the pod of a plan as a hub does; return what was asked for, and what the API server made."""
    name = f"daas-{secrets.token_hex(10)}"
    kinds = kinds or (HostPathStorage(PurePosixPath("/"), str(storage)),)
    place = PodSettings(
        "hub", namespace, storage=kinds, node_storage=node_storage,
        image_pull_policy="Never", environment={"TITLE": TITLE}, ephemeral_bytes=2**30,
    )  # fmt: skip
    identity = PodIdentity(
        name, name[5:], secrets.token_hex(8), environment_secret=name, files_secret=f"{name}-files", ends=2e9,
        program=("python3", "-c", PROBE),
    )  # fmt: skip
    asked = pod_for(plan, place, identity)
    made = cluster.create(asked)
    files = identity_texts(plan.account) | {"localtime": ""}
    texts = {name: {"TOKEN": SECRET}, f"{name}-files": {one: files[one] for one in IDENTITY_FILES}}
    for secret, content in texts.items():
        data = {key: base64.b64encode(text.encode()).decode() for key, text in content.items()}
        metadata = {"name": secret, "namespace": namespace}
        cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    patch = '[{"op": "remove", "path": "/spec/schedulingGates/0"}]'
    cluster.kubectl("-n", namespace, "patch", "pod", name, "--type=json", "-p", patch)
    return asked, made


@pytest.fixture(scope="module")
def image(cluster: Cluster) -> str:
    """An image with Python and the programs of every Debian, by its digest."""
    return on_the_node("desktop")


def test_session_of_several_visits(cluster: Cluster, open_namespace: str, storage: Path, image: str) -> None:
    asked, made = run(cluster, open_namespace, storage, small(image))
    assert differences(asked, made) == []
    name = asked["metadata"]["name"]
    pod = cluster.wait_for_phase(open_namespace, name, "Succeeded")
    reason = reason_of_pod(pod)
    assert reason is not None
    assert (reason.kind, reason.sentence) == (ReasonKind.ENDED, "It ended.")
    seen = json.loads(cluster.kubectl("-n", open_namespace, "logs", name, "-c", "session"))
    assert seen["ids"] == [ANNA.uid, ANNA.gid, sorted({*ANNA.groups, ANNA.gid})]
    refused = "Read-only file system"
    assert seen["write"] == {
        "": "done", "/Proposals": refused, "/Proposals/MA-4242": refused, "/Proposals/MA-4242/visit-2": refused,
        "/Proposals/MA-4242/visit-2/below": refused, "/Proposals/HC-17/processed": "done", "/": refused,
        "/usr": refused, "/etc": refused, "/tmp": "done", "/var/tmp": "done", "/dev/shm": "done",
        "/run/session": "done",
    }  # fmt: skip
    assert seen["owners"] == [0, ANNA.uid], "the empty directory is the kubelet's, what is in it the account's"
    assert (seen["title"], seen["token"]) == (TITLE, SECRET)
    assert seen["passwd"] == "anna"
    assert seen["sees"] == ["below", "scan.h5"]
    # the mount point in the home was made as the account, not as root
    assert (storage / "gpfs" / "homes" / "anna" / "Proposals").stat().st_uid == ANNA.uid


def test_missing_directory_is_refused_and_never_made(
    cluster: Cluster, open_namespace: str, storage: Path, image: str
) -> None:
    missing = mount("/data/visitor/MA-4242/9", "data")
    plan = replace(
        NOTEBOOK, application=replace(NOTEBOOK.application, image=image), mounts=(NOTEBOOK.mounts[0], missing)
    )
    asked, _ = run(cluster, open_namespace, storage, plan)
    name = asked["metadata"]["name"]

    def refused() -> Any:
        events = cluster.get("-n", open_namespace, "events", "--field-selector", f"involvedObject.name={name}")["items"]
        found = [reason_of_event(one) for one in events]
        return next((one for one in found if one is not None and one.kind is ReasonKind.STORAGE), None)

    reason = within(60, refused)
    assert reason.is_final
    assert reason.sentence == "A directory of your session is missing where it should run."
    assert not (storage / "data" / "visitor" / "MA-4242" / "9").exists()


@pytest.fixture
def claim(cluster: Cluster, namespace: str, storage: Path) -> Iterator[str]:
    """A claim of a namespace that enforces the restricted profile, with the facility's storage."""
    name = f"daas-{secrets.token_hex(4)}"
    spec = {
        "accessModes": ["ReadWriteMany"], "storageClassName": "", "capacity": {"storage": "1Gi"},
        "hostPath": {"path": str(storage)}, "persistentVolumeReclaimPolicy": "Retain",
    }  # fmt: skip
    cluster.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
    wanted = {
        "accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": name,
        "resources": {"requests": {"storage": "1Gi"}},
    }  # fmt: skip
    metadata = {"name": name, "namespace": namespace}
    cluster.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": wanted})
    yield name
    cluster.kubectl("delete", "persistentvolume", name, "--wait=false")


def claimed(claim: str) -> ClaimStorage:
    return ClaimStorage(PurePosixPath("/"), claim)


def small(image: str, **changes: Any) -> Plan:
    size = replace(NOTEBOOK.size, cpus=0.2, memory_bytes=256 * 2**20)
    return replace(NOTEBOOK, application=replace(NOTEBOOK.application, image=image), size=size, **changes)


def test_restricted_namespace_with_a_claim(
    cluster: Cluster, namespace: str, storage: Path, claim: str, image: str
) -> None:
    """The same session as on the node's own directories, with nothing but what the profile allows."""
    asked, made = run(cluster, namespace, storage, small(image), claimed(claim), node_storage=False)
    assert differences(asked, made) == []
    name = asked["metadata"]["name"]
    cluster.wait_for_phase(namespace, name, "Succeeded")
    seen = json.loads(cluster.kubectl("-n", namespace, "logs", name, "-c", "session"))
    assert seen["write"]["/Proposals/MA-4242/visit-2"] == "Read-only file system"
    assert seen["write"]["/Proposals/HC-17/processed"] == "done"
    assert seen["sees"] == ["below", "scan.h5"]
    assert (storage / "gpfs" / "homes" / "anna" / "Proposals").stat().st_uid == ANNA.uid


@pytest.mark.parametrize("missing", ["/data/visitor/MA-4242/9", "/gpfs/homes/berta"])
def test_missing_sub_path_of_a_claim_is_refused_and_never_made(
    cluster: Cluster, namespace: str, storage: Path, claim: str, image: str, missing: str
) -> None:
    home, *others = NOTEBOOK.mounts
    if missing.startswith("/gpfs"):
        home = mount(missing, ".", writable=True)
    else:
        others = [mount(missing, "data")]
    plan = small(image, mounts=(home, *others))
    asked, _ = run(cluster, namespace, storage, plan, claimed(claim), node_storage=False)
    pod = cluster.wait_for_phase(namespace, asked["metadata"]["name"], "Failed")
    reason = reason_of_pod(pod)
    assert reason is not None
    assert reason.sentence == "A directory of your session is missing, or your account may not see it."
    assert reason.is_final
    assert missing in reason.raw
    assert not (storage / missing.lstrip("/")).exists()


def test_directory_that_the_account_may_not_see(
    cluster: Cluster, namespace: str, storage: Path, claim: str, image: str
) -> None:
    (storage / "data" / "visitor" / "MA-4242").chmod(0o700)
    shutil.chown(storage / "data" / "visitor" / "MA-4242", 1, 1)
    asked, _ = run(cluster, namespace, storage, small(image), claimed(claim), node_storage=False)
    reason = reason_of_pod(cluster.wait_for_phase(namespace, asked["metadata"]["name"], "Failed"))
    assert reason is not None
    assert reason.kind is ReasonKind.STORAGE


def test_chart_knows_the_labels_of_our_pods(cluster: Cluster) -> None:
    """The chart computes the label of a set of addresses itself; a pod chooses its policy by it."""
    sets = [["licence.example.org:27001", "licence.example.org:27000"], ["db.example.org:5432"]]
    addresses = {"licence.example.org": ["192.0.2.17"], "db.example.org": ["2001:db8::5"]}
    values = merged(LEAST, {"sessions": {"egress": sets, "egressAddresses": addresses}})
    policies = [one for one in objects(render(cluster, values)) if one["kind"] == "NetworkPolicy"]
    chosen = [one["spec"]["podSelector"].get("matchLabels", {}).get(EGRESS_LABEL) for one in policies]
    assert sorted(filter(None, chosen)) == sorted(map(egress_label, sets))
