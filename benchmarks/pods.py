"""Our portal with sessions in pods of the cluster of `.ci/cluster`, and a bare pod of the same image."""

from __future__ import annotations

import base64
import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.cluster.cluster import Cluster, Json
from tests.cluster.portal import on_the_node, start_cluster_portal
from tests.live_portal import remove

from .portal import Portal
from .streams import ByteStream, open_tcp

#: As floor.sh, with a port instead of a socket file.
FLOOR = """\
Xvnc :1 -rfbport 5900 -SecurityTypes None -AlwaysShared -geometry 1680x1050 &
until [ -S /tmp/.X11-unix/X1 ]; do sleep 0.005; done
export DISPLAY=:1
xsetroot -solid '#28527a'
openbox &
exec $BENCH_APPLICATION
"""
RFB_PORT = 5900


@contextmanager
def namespace_of(cluster: Cluster, level: str) -> Iterator[str]:
    """Make a namespace that enforces a level of Pod Security; it is deleted afterwards."""
    name = f"daas-bench-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": level}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    try:
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def measured_size(cpus: float) -> str:
    """Return the sizes of a catalogue whose sessions may use this many processors."""
    return f"sizes:\n  measured: {{title: Measured, memory: 2 GiB, cpus: {cpus}, processes: 500, hours: 1}}\n"


class PodPortal(Portal):
    """Our hub with pods, on data that the node has at the same path."""

    def __init__(
        self, state: Path, cluster: Cluster, namespace: str, *, image: str, command: list[str], cpus: float
    ) -> None:
        super().__init__(state, "measured", proposal="MA-4242")
        self._cluster, self._namespace = cluster, namespace
        self._images = {name: on_the_node(name) for name in {"desktop", image}}
        self.catalogue.mkdir(mode=0o755, parents=True)
        (self.catalogue / "sizes.yaml").write_text(measured_size(cpus))
        self.add_to_catalogue(
            f"name: measured\ntitle: Measured\nkind: desktop\nsizes: [measured]\n"
            f"image: {self._images[image]}\ncommand: {json.dumps(command)}\n"
        )

    @property
    def below(self) -> int:
        """Pods are no children of the hub."""
        return 1

    @property
    def pid(self) -> int:
        """The process of the hub."""
        return self._running.portal.process.pid

    def __enter__(self) -> PodPortal:
        """Start, and wait."""
        more = f"c.Facility.catalogue.append({str(self.catalogue)!r})\n"
        self._running = start_cluster_portal(self._cluster, self._namespace, self._images, more_config=more)
        self.url, self.port = self._running.portal.url, self._running.portal.port
        return self

    def __exit__(self, *_: object) -> None:
        """End the hub, and its sessions with it."""
        self._cluster.kubectl("-n", self._namespace, "delete", "pods", "--all", "--grace-period=1", "--wait=false")
        self._running.portal.stop()
        remove(self._running.portal)


class PodApi:
    """The API server, asked as directly as a program can: one connection, no kubectl."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        document = yaml.safe_load(cluster.kubeconfig.read_text())
        place, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.verify = _file(place, "certificate-authority", folder)
        self._http.cert = (_file(user, "client-certificate", folder), _file(user, "client-key", folder))
        self._url = f"{place['server']}/api/v1/namespaces/{namespace}/pods"

    def create(self, pod: Json) -> None:
        """Create a pod."""
        self._answer(self._http.post(self._url, json=pod, timeout=30))

    def address(self, name: str, timeout_s: float = 60) -> str:
        """Wait until the cluster says at which address a pod is."""
        params: dict[str, Any] = {"watch": "true", "fieldSelector": f"metadata.name={name}", "timeoutSeconds": 60}
        until = time.monotonic() + timeout_s
        with self._http.get(self._url, params=params, stream=True, timeout=timeout_s) as response:
            for line in response.iter_lines(chunk_size=None):
                if found := json.loads(line)["object"].get("status", {}).get("podIP"):
                    return str(found)
                if time.monotonic() > until:
                    break
        raise RuntimeError(f"{name} has no address")

    def delete(self, name: str) -> None:
        """Delete a pod at once."""
        self._answer(self._http.delete(f"{self._url}/{name}", json={"gracePeriodSeconds": 0}, timeout=30))

    @staticmethod
    def _answer(response: requests.Response) -> None:
        if not response.ok:
            raise RuntimeError(f"the API server refused: {response.text[:500]}")


def _file(record: dict[str, str], key: str, folder: Path) -> str:
    """Return the path of a certificate or key of a kubeconfig."""
    if f"{key}-data" not in record:
        return record[key]
    path = folder / key
    path.touch(mode=0o600)
    path.write_bytes(base64.b64decode(record[f"{key}-data"]))
    return str(path)


def bare_pod(name: str, image: str, application: str, cpus: float) -> Json:
    """Return a pod with nothing but X server, window manager and application."""
    resources = {"cpu": f"{round(cpus * 1000)}m", "memory": "2Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "securityContext": {"runAsUser": 25001, "runAsGroup": 25001},
            "containers": [
                {
                    "name": "desktop",
                    "image": image,
                    "imagePullPolicy": "Never",
                    "command": ["sh", "-c", FLOOR],
                    "resources": {"limits": resources, "requests": resources},
                    "env": [{"name": "HOME", "value": "/tmp"}, {"name": "BENCH_APPLICATION", "value": application}],
                }
            ],
        },
    }


@contextmanager
def running_bare_pod(cluster: Cluster, namespace: str, image: str, cpus: float) -> Iterator[ByteStream]:
    """Create a bare pod, and connect to its X server as soon as that listens."""
    name = f"bare-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as folder:
        api = PodApi(cluster, namespace, Path(folder))
        api.create(bare_pod(name, image, "pymca", cpus))
        try:
            yield open_tcp(api.address(name), RFB_PORT)
        finally:
            api.delete(name)
