"""A real etcd, API server and controller manager, without a node: patched statuses play the kubelet."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.kubernetes.rights import HUB_RULES
from tests.live_portal import free_ports
from tests.not_tried import missing

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
START_TIMEOUT_S = 60.0
#: Who asked for what, without bodies: they have secrets.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": ["hub"]}, {"level": "None"}],
}


def programs() -> Path:
    """Return the folder with the programs of Kubernetes."""
    folder = Path(os.environ.get("DAAS_TEST_CLUSTER", "/var/tmp/daas-ci-cluster")) / "bin"
    absent = [name for name in PROGRAMS if not (folder / name).exists()]
    if absent:
        missing("kubernetes", f"needs {', '.join(absent)} of Kubernetes (.ci/cluster build)")
    return folder


class ApiServer:
    """The three programs, with one namespace for each test."""

    def __init__(self) -> None:
        self._bin = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="daas-api-", dir="/var/tmp"))
        first = free_ports(4)
        self.port, self._etcd, self._etcd_peer, self._controllers = first, first + 1, first + 2, first + 3
        self.url = f"https://127.0.0.1:{self.port}"
        self.token, self.hub_token = secrets.token_hex(16), secrets.token_hex(16)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._write_files()

    @property
    def ca(self) -> Path:
        """The certificate that the API server made for itself."""
        return self.folder / "certs" / "apiserver.crt"

    @property
    def audit_log(self) -> Path:
        """What was asked of the API server with the hub's token."""
        return self.folder / "audit.log"

    def _write_files(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / "sa.key").write_bytes(pem)
        tokens = f"{self.token},admin,admin,system:masters\n{self.hub_token},hub,hub,hubs\n"
        (self.folder / "tokens.csv").write_text(tokens)
        (self.folder / "audit.yaml").write_text(yaml.safe_dump(AUDIT_POLICY))
        (self.folder / "hub.token").write_text(self.hub_token)
        self.admin_conf = self.write_kubeconfig("admin.conf", self.token)
        self.hub_conf = self.write_kubeconfig("hub.conf", self.hub_token)

    def write_kubeconfig(self, name: str, token: str, url: str = "") -> Path:
        """Write a configuration of kubectl's for the owner of a token."""
        cluster = {"server": url or self.url, "certificate-authority": str(self.ca)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = self.folder / name
        path.write_text(yaml.safe_dump(document))
        return path

    # -- the programs ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all three, and wait until the API server is ready."""
        etcd = f"http://127.0.0.1:{self._etcd}"
        peer = f"http://127.0.0.1:{self._etcd_peer}"
        self._run(
            "etcd", "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", etcd, "--advertise-client-urls",
            etcd, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster",
            f"default={peer}", "--unsafe-no-fsync",
        )  # fmt: skip
        self.start_api()

    def start_api(self) -> None:
        """Start the API server and its controllers, and wait until it is ready."""
        key = str(self.folder / "sa.key")
        self._run(
            "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{self._etcd}", "--secure-port", str(self.port),
            "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none",
            "--cert-dir", str(self.folder / "certs"), "--token-auth-file", str(self.folder / "tokens.csv"),
            "--service-account-key-file", key, "--service-account-signing-key-file", key,
            "--service-account-issuer", "https://kubernetes.default.svc", "--service-cluster-ip-range", "10.96.0.0/16",
            "--audit-policy-file", str(self.folder / "audit.yaml"), "--audit-log-path", str(self.audit_log),
            "--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount", "--watch-cache=true",
        )  # fmt: skip
        self._wait_until_ready()
        # after an absence its informers would take their time
        self._end("kube-controller-manager")
        self._run(
            "kube-controller-manager", "--kubeconfig", str(self.admin_conf), "--leader-elect=false",
            "--service-account-private-key-file", str(self.folder / "sa.key"), "--secure-port",
            str(self._controllers), "--cert-dir", str(self.folder / "controllers"),
            # which ends pods of a node that is not there, as those of the tests are
            "--use-service-account-credentials=false", "--controllers=*,-pod-garbage-collector-controller",
        )  # fmt: skip

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            with contextlib.suppress(requests.RequestException, OSError):
                if self._request("GET", "/readyz").ok:
                    return
            time.sleep(0.1)
        log = (self.folder / "kube-apiserver.log").read_text()
        raise AssertionError(f"the API server did not start:\n{log[-3000:]}")

    @contextmanager
    def scheduling(self) -> Iterator[None]:
        """Run the scheduler; without it, pods have no node but the one that they name."""
        self._run("kube-scheduler", "--kubeconfig", str(self.admin_conf), "--leader-elect=false", "--secure-port", "0")
        try:
            yield
        finally:
            self._end("kube-scheduler")

    def kill_api(self) -> None:
        """Kill the API server."""
        self._end("kube-apiserver")

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop a program, which keeps its connections and answers nothing: "kube-apiserver", or "etcd"."""
        os.kill(self._running[name].pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._running[name].pid, signal.SIGCONT)
            self._wait_until_ready()

    def stop(self) -> None:
        """End everything, and remove it."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self._end(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", str(self._bin / name), *arguments],
                cwd=self.folder, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def _end(self, name: str) -> None:
        if (program := self._running.pop(name, None)) is not None:
            program.kill()
            program.wait()

    # -- what tests do --------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Call the API as an administrator, and return its document."""
        answer = self._request(method, path, json=body, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def status_of(self, method: str, path: str, body: Any = None) -> int:
        """Call the API as an administrator, and return the status of its answer."""
        return self._request(method, path, json=body).status_code

    def _request(self, method: str, path: str, **more: Any) -> requests.Response:
        # one session a request: several threads ask
        with requests.Session() as http:
            # an environment's own bundle would win over `verify`
            http.trust_env = False
            http.headers["Authorization"] = f"Bearer {self.token}"
            return http.request(method, self.url + path, timeout=30, verify=str(self.ca), **more)

    def new_namespace(self, name: str = "") -> str:
        """Make a namespace in which the hub has the rights that it needs, and no more."""
        name = name or f"sessions-{secrets.token_hex(4)}"
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}"
        self.call("POST", f"{rbac}/roles", {"metadata": {"name": "hub"}, "rules": HUB_RULES})
        binding = {
            "metadata": {"name": "hub"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hub"},
            "subjects": [{"kind": "User", "name": "hub", "apiGroup": "rbac.authorization.k8s.io"}],
        }
        self.call("POST", f"{rbac}/rolebindings", binding)
        return name

    def pods(self, namespace: str) -> list[dict[str, Any]]:
        """Return the pods of a namespace."""
        return list(self.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"])

    def set_status(self, namespace: str, pod: str, **status: Any) -> None:
        """Play the kubelet: set the status of a pod."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        self.call("PATCH", path, {"status": status}, headers=headers)

    def run_pod(self, namespace: str, pod: str, address: str = "127.0.0.1") -> None:
        """Play the kubelet: a pod runs, at this address."""
        container = {"name": "session", "ready": True, "restartCount": 0, "image": "x", "imageID": "x"}
        self.set_status(
            namespace, pod, phase="Running", podIP=address, podIPs=[{"ip": address}], hostIP="127.0.0.1",
            conditions=[{"type": "Ready", "status": "True"}],
            containerStatuses=[{**container, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}],
        )  # fmt: skip

    def delete_pod(self, namespace: str, pod: str) -> None:
        """Delete a pod at once."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
        self.call("DELETE", path, {"gracePeriodSeconds": 0})

    @contextmanager
    def node(self, name: str, **more: str) -> Iterator[Callable[[str], None]]:
        """Make a node without a kubelet, with further resources; yield what sets its memory."""
        self.call("POST", "/api/v1/nodes", {"metadata": {"name": name}})

        def set_memory(memory: str) -> None:
            amounts = {"cpu": "8", "memory": memory, "pods": "10", "ephemeral-storage": "100Gi"} | more
            ready = {"type": "Ready", "status": "True", "reason": "x", "message": "x"}
            status = {"capacity": amounts, "allocatable": amounts, "conditions": [ready]}
            headers = {"Content-Type": "application/merge-patch+json"}
            self.call("PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, headers=headers)

        try:
            yield set_memory
        finally:
            self.call("DELETE", f"/api/v1/nodes/{name}")

    def make_pod(self, namespace: str, name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
        """Create a pod of somebody else's, on a node that is not there."""
        spec = {"containers": [{"name": "session", "image": "x"}], "nodeName": "nowhere"}
        body = {"metadata": {"name": name, "labels": labels or {}}, "spec": spec}
        made: dict[str, Any] = self.call("POST", f"/api/v1/namespaces/{namespace}/pods", body)
        return made


@contextmanager
def running_api_server() -> Iterator[ApiServer]:
    """Run an API server."""
    server = ApiServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
