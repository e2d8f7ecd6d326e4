"""A cluster without computers: etcd, API server, controllers and scheduler are real, kwok plays the nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kubernetes.api_server import ApiServer
from tests.live_portal import free_ports

#: Of this machine itself: one program answers for all pods.
POD_ADDRESSES = "127.88.0.0/16"
STAGES = Path(__file__).with_name("kwok-stages.yaml")
NODES = 10
PODS_OF_A_NODE = 250
#: Requests a second of a part of the cluster; the usual limits of 20 to 50 would be what is measured.
_RATE = ("--kube-api-qps=2000", "--kube-api-burst=4000")
_NODE = {
    "kubelet": {"pods": PODS_OF_A_NODE, "cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti"},
}


class FakeNodes(ApiServer):
    """The cluster; its parts' processes are in `parts`."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions_port = free_ports(1)
        self._scheduler = free_ports(1)

    @property
    def parts(self) -> dict[str, int]:
        """The process of each part, by name."""
        return {name: program.pid for name, program in self._running.items()}

    def start_api(self) -> None:
        """Start the API server, then what asks it: controllers, scheduler, nodes."""
        super().start_api()
        self._run(
            "kube-scheduler", "--kubeconfig", str(self.admin_conf), "--leader-elect=false", "--secure-port",
            str(self._scheduler), "--cert-dir", str(self.folder / "scheduler"), *_RATE,
        )  # fmt: skip
        for number in range(NODES):
            self._add_node(f"node{number}")
        self._run(
            "kwok", "--kubeconfig", str(self.admin_conf), "--manage-all-nodes", "--cidr", POD_ADDRESSES,
            "--node-ip", "127.88.0.1", "--node-lease-duration-seconds", "40", "--config", str(STAGES),
        )  # fmt: skip

    def _add_node(self, name: str) -> None:
        amounts = _NODE["kubelet"]
        self.call("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}}})
        status = {"status": {"allocatable": amounts, "capacity": amounts}}
        headers = {"Content-Type": "application/merge-patch+json"}
        self.call("PATCH", f"/api/v1/nodes/{name}/status", status, headers=headers)

    def new_namespace(self) -> str:
        """Make a namespace with the claim that our sessions' directories are on."""
        name = super().new_namespace()
        size = {"storage": "1Ti"}
        access = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
        source = {"nfs": {"server": "storage.example.org", "path": "/"}, "capacity": size}
        self.call("POST", "/api/v1/persistentvolumes", {"metadata": {"name": name}, "spec": {**access, **source}})
        wanted = {**access, "volumeName": name, "resources": {"requests": size}}
        claim = {"metadata": {"name": "facility"}, "spec": wanted}
        self.call("POST", f"/api/v1/namespaces/{name}/persistentvolumeclaims", claim)
        return name

    def play_sessions(self, *namespaces: str) -> None:
        """Answer for all pods of these namespaces."""
        log = (self.folder / "sessions.log").open("ab")
        given = {"url": self.url, "ca": str(self.ca), "token": self.token, "port": self.sessions_port}
        self._running["sessions"] = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "benchmarks.fake_sessions",
             json.dumps(given), *namespaces],
            cwd=Path(__file__).resolve().parents[1], stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def stop(self) -> None:
        """End everything, and remove it."""
        for name in ("sessions", "kwok", "kube-scheduler"):
            self._end(name)
        super().stop()


@contextmanager
def running_nodes() -> Iterator[FakeNodes]:
    """Run such a cluster; everything of it is gone afterwards."""
    cluster = FakeNodes()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
