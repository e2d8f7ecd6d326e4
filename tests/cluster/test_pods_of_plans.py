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

from daas_hub.spawners.guest_layout import identity_texts
from daas_hub.spawners.kubernetes.compare import differences
from daas_hub.spawners.kubernetes.labels import EGRESS_LABEL
from daas_hub.spawners.kubernetes.network_policy import egress_label
from daas_hub.spawners.kubernetes.pod import pod_for
from daas_hub.spawners.kubernetes.pod_settings import IDENTITY_FILES, PodIdentity, PodSettings
from daas_hub.spawners.kubernetes.reasons import ReasonKind, reason_of_event, reason_of_pod
from daas_hub.spawners.kubernetes.volumes import HostPathStorage
from tests.cluster.chart import LEAST, merged, objects, render
from tests.cluster.cluster import Cluster, Json, within
from tests.cluster.portal import on_the_node
from tests.kubernetes.plans import ANNA, NOTEBOOK, mount

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


def run(cluster: Cluster, namespace: str, storage: Path, plan: Any = NOTEBOOK) -> tuple[Json, Json]:
    """Start the pod of a plan as a hub does; return what was asked for, and what the API server made."""
    name = f"daas-{secrets.token_hex(10)}"
    place = PodSettings(
        "hub", namespace, storage=(HostPathStorage(PurePosixPath("/"), str(storage)),), node_storage=True,
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
    plan = replace(NOTEBOOK, application=replace(NOTEBOOK.application, image=image), size=replace(
        NOTEBOOK.size, cpus=0.2, memory_bytes=256 * 2**20))  # fmt: skip
    asked, made = run(cluster, open_namespace, storage, plan)
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


def test_chart_knows_the_labels_of_our_pods(cluster: Cluster) -> None:
    """The chart computes the label of a set of addresses itself; a pod chooses its policy by it."""
    sets = [["licence.example.org:27001", "licence.example.org:27000"], ["db.example.org:5432"]]
    addresses = {"licence.example.org": ["192.0.2.17"], "db.example.org": ["2001:db8::5"]}
    values = merged(LEAST, {"sessions": {"egress": sets, "egressAddresses": addresses}})
    policies = [one for one in objects(render(cluster, values)) if one["kind"] == "NetworkPolicy"]
    chosen = [one["spec"]["podSelector"].get("matchLabels", {}).get(EGRESS_LABEL) for one in policies]
    assert sorted(filter(None, chosen)) == sorted(map(egress_label, sets))
