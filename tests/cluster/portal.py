"""A portal of this machine whose sessions are pods of the cluster; its hub has the rights it needs and no more."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from daas_hub.spawners.kubernetes.network_policy import Network, Peer, policies
from tests.cluster.cluster import GATEWAY, ROOT, Cluster, Json
from tests.conftest import BRIEF, PROBE, SIZES
from tests.docker.engine import SAMPLES, TERMINAL, image
from tests.experiments import experiments
from tests.kubernetes.rights import HUB_RULES
from tests.live_portal import Portal, free_ports, new_state, start_portal
from tests.not_tried import missing

CONFIG = """
c.Facility.catalogue = [{applications!r}]
from pathlib import PurePosixPath
from daas_hub.spawners.kubernetes.volumes import HostPathStorage
c.JupyterHub.spawner_class = "proposal-kubernetes"
c.ProposalKubeSpawner.hub_id = {hub_id!r}
c.ProposalKubeSpawner.kubeconfig = {kubeconfig!r}
c.ProposalKubeSpawner.namespace = {namespace!r}
c.ProposalKubeSpawner.gateway_bind = {gateway!r}
c.ProposalKubeSpawner.gateway_address = {gateway!r}
c.ProposalKubeSpawner.hub_has_storage = True
c.ProposalKubeSpawner.node_storage = True
c.ProposalKubeSpawner.storage = [HostPathStorage(PurePosixPath({state!r}), {state!r})]
c.ProposalKubeSpawner.image_pull_policy = "Never"
c.ProposalKubeSpawner.runtime_dir = {runtime_dir!r}
c.ProposalKubeSpawner.grace_period_s = 5
"""
#: As little as a session can be: a node of two processors has room for ten.
LIGHT = """\
name: light
title: Light
kind: desktop
command: [sleep, infinity]
sizes: [light]
"""


@dataclass
class ClusterPortal:
    """The portal, and where its sessions are."""

    portal: Portal
    cluster: Cluster
    namespace: str
    hub_id: str
    config: str
    gateway: str

    def pods(self) -> list[Json]:
        """Return the pods of its sessions."""
        found: list[Json] = self.cluster.get("-n", self.namespace, "pods", "-l", f"daas-hub/hub={self.hub_id}")["items"]
        return found


def on_the_node(name: str) -> str:
    """Bring one of this project's images to the node, and return its name by digest."""
    ran = subprocess.run(
        [str(ROOT / ".ci" / "cluster"), "image", image(name)],
        env=os.environ, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if ran.returncode:
        missing("kubernetes", f"the image {name} cannot be brought to the node: {ran.stderr.strip()[-200:]}")
    return ran.stdout.split()[-1]


def start_cluster_portal(
    cluster: Cluster, namespace: str, images: Mapping[str, str], *, place: str = "kubernetes", more_config: str = "",
    documents: Mapping[str, str] | None = None,
) -> ClusterPortal:  # fmt: skip
    """Start a portal; whoever starts it stops it and removes its state.

    Args:
        images: of the applications' kinds, by digest: "desktop", "pymca", "notebook".
        place: the name of the cluster among the places of `more_config`.
        documents: application files by name, instead of the usual ones.
    """
    hub_id = f"test-{secrets.token_hex(3)}"
    state = new_state()
    _write_applications(state / "applications", images)
    if documents is not None:
        for file in (state / "applications").iterdir():
            file.unlink()
        for name, text in documents.items():
            (state / "applications" / f"{name}.yaml").write_text(text)
    config = experiments(state)
    _copy_samples(state)
    gateway = f"{GATEWAY}:{free_ports(1)}"
    config += CONFIG.format(
        hub_id=hub_id,
        kubeconfig=str(_hub_kubeconfig(cluster, namespace, state)),
        namespace=namespace,
        applications=str(state / "applications"),
        gateway=gateway,
        state=str(state),
        runtime_dir=str(state / "run"),
    )
    network = Network(
        namespace, hub_id, place, 8888, (Peer(cidr=f"{GATEWAY}/32"),), (Peer(cidr=f"{GATEWAY}/32"),),
        int(gateway.rpartition(":")[2]),
    )  # fmt: skip
    for one in policies(network, []):
        cluster.kubectl("apply", "-f", "-", given=json.dumps(one))
    portal = start_portal(state / "applications", state=state, more_config=config + more_config)
    return ClusterPortal(portal, cluster, namespace, hub_id, config + more_config, gateway)


def _copy_samples(state: Path) -> None:
    """Put the samples of the proposals where the node has them at the same path."""
    proposals = yaml.safe_load((state / "proposals.yaml").read_text())
    data = state / "experiments" / "visitor"
    shutil.copytree(SAMPLES, data)
    for visit in (visit for proposal in proposals["proposals"] for visit in proposal["visits"]):
        visit["data"] = [path.replace(str(SAMPLES), str(data)) for path in visit["data"]]
    (state / "proposals.yaml").write_text(yaml.safe_dump(proposals))


def _write_applications(folder: Path, images: Mapping[str, str]) -> None:
    folder.mkdir()
    desktop = f"image: {images['desktop']}\nsizes: [ample]\n"
    # a pod may take some seconds to start, and the node has two processors
    sizes = SIZES.replace("hours: 0.003", "hours: 0.005").replace("cpus: 1,", "cpus: 0.4,")
    texts = {
        "terminal": TERMINAL + desktop,
        "brief": BRIEF + f"image: {images['desktop']}\n",
        "light": LIGHT + f"image: {images['desktop']}\n",
        "probe": PROBE + desktop,
        "sizes": sizes
        + "  ample: {title: Ample, memory: 1 GiB, cpus: 0.6, processes: 500, hours: 12}\n"
        + "  light: {title: Light, memory: 512 MiB, cpus: 0.15, processes: 100, hours: 12}\n",
    }
    if "pymca" in images:
        text = f"name: pymca\ntitle: PyMca\nkind: desktop\ncommand: [pymca]\nsizes: [ample]\nimage: {images['pymca']}\n"
        texts["pymca"] = text
    if "notebook" in images:
        texts["lab"] = (
            f"name: jupyterlab\ntitle: JupyterLab\nkind: notebook\nsizes: [ample]\nimage: {images['notebook']}\n"
        )
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)


def _hub_kubeconfig(cluster: Cluster, namespace: str, state: Path) -> Path:
    """Grant a service account the hub's rights in the namespace, and write its kubeconfig."""
    account: Json = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "hub", "namespace": namespace}}
    role: Json = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "hub", "namespace": namespace},
        "rules": HUB_RULES,
    }
    binding: Json = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "hub", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hub"},
        "subjects": [{"kind": "ServiceAccount", "name": "hub", "namespace": namespace}],
    }
    for one in (account, role, binding):
        cluster.kubectl("apply", "-f", "-", given=json.dumps(one))
    token = cluster.kubectl("-n", namespace, "create", "token", "hub", "--duration=10h").strip()
    document = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    document["users"] = [{"name": "hub", "user": {"token": token}}]
    document["contexts"][0]["context"]["user"] = "hub"
    path = state / "hub.conf"
    path.touch(mode=0o600)
    path.write_text(json.dumps(document))
    return path
