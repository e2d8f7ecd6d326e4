"""The chart as tests install it on the cluster: its values, what it needs there, and what is left to remove."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.cluster.chart import CHART, HelmFailed, helm, merged
from tests.cluster.cluster import Cluster
from tests.cluster.portal import on_the_node

HUB_USER = 1000
#: Long enough for a machine that builds something else, short enough to see why it does not get ready.
WAIT = ("--wait", "--timeout", "240s")


@dataclass
class Installed:
    """The release, its namespaces, and its values."""

    cluster: Cluster
    namespace: str
    sessions: str
    values: dict[str, Any]
    state: Path

    def helm(self, *arguments: str, more: dict[str, Any] | None = None) -> str:
        """Run helm for this release."""
        values = merged(self.values, more or {})
        return helm(self.cluster, *arguments, "--namespace", self.namespace, values=values, timeout=300)

    def uid(self, kind: str, name: str) -> str:
        """Return what tells an object from a later one of its name."""
        found: str = self.cluster.get("-n", self.namespace, kind, name)["metadata"]["uid"]
        return found

    def pods_of(self, part: str) -> list[str]:
        """Return the uids of the pods of a part that are not ending."""
        found = self.cluster.get("-n", self.namespace, "pod", "-l", f"app.kubernetes.io/component={part}")["items"]
        return [each["metadata"]["uid"] for each in found if "deletionTimestamp" not in each["metadata"]]

    def answers(self) -> bool:
        """Return whether the login page comes; rules for a Service's and a pod's addresses follow them by moments."""
        try:
            return requests.get(f"{self.url}/hub/login", timeout=30).status_code == 200
        except requests.RequestException:
            return False

    @property
    def url(self) -> str:
        """The proxy, as a web server before it reaches it."""
        spec = self.cluster.get("-n", self.namespace, "service", "portal-proxy")["spec"]
        return f"http://{spec['clusterIP']}"


def volume_of(name: str, folder: Path, storage_class: str) -> dict[str, Any]:
    """Return a volume that is a directory of the node, for one claim of its class."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": storage_class,
            "hostPath": {"path": str(folder), "type": "Directory"},
        },
    }


def remove_shared(cluster: Cluster, namespace: str, release: str) -> None:
    """Remove what a release has outside of namespaces."""
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy", "priorityclass"):
        labels = f"app.kubernetes.io/part-of=daas-hub,app.kubernetes.io/instance={release}"
        for name in cluster.kubectl("get", kind, "-l", labels, "-o", "name").split():
            if name.partition("/")[2].startswith(f"{namespace}-{release}-"):
                cluster.kubectl("delete", name, "--ignore-not-found")


@contextlib.contextmanager
def installed_chart(cluster: Cluster, values: dict[str, Any]) -> Iterator[Installed]:
    """Install the chart with some values and wait until it is ready; remove it with all that it has."""
    repository, _, digest = on_the_node("hub").partition("@")
    name = f"daas-test-{secrets.token_hex(4)}"
    state = Path(tempfile.mkdtemp(prefix="daas-hub-state-"))
    state.chmod(0o711)
    folder = state / "hub"
    folder.mkdir(mode=0o700)
    os.chown(folder, HUB_USER, HUB_USER)
    own = {
        "image": {"repository": repository, "digest": digest, "pullPolicy": "Never"},
        "portal": {"url": "https://daas.facility.org"},
        "hub": {"storage": {"storageClass": name, "size": "1Gi"}},
        "sessions": {"namespace": {"name": f"{name}-sessions"}},
    }
    release = Installed(cluster, name, f"{name}-sessions", merged(own, values), state)
    cluster.create(volume_of(name, folder, name))
    try:
        release.helm("install", "portal", str(CHART), "--create-namespace", *WAIT)
        yield release
    except HelmFailed:
        print(cluster.kubectl("-n", name, "get", "pods,events", "-o", "wide"))
        for each in cluster.get("-n", name, "pod")["items"]:
            print(cluster.kubectl("-n", name, "logs", each["metadata"]["name"], "--all-containers", "--tail=30"))
        raise
    finally:
        remove_shared(cluster, name, "portal")
        cluster.kubectl("delete", "namespace", name, f"{name}-sessions", "--ignore-not-found", "--wait=false")
        cluster.kubectl("delete", "persistentvolume", name, "--wait=false")
        shutil.rmtree(state, ignore_errors=True)
