"""The cluster of `.ci/cluster`, as tests ask for it: kubectl as its administrator, and pods with every restriction."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.not_tried import missing
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
#: This machine, as pods see it.
GATEWAY = "10.88.77.1"
#: A program that tries things, and nothing else: see .ci/cluster-files/pause.
IMAGE = "localhost/daas-ci/pause:1"
UID, GROUP = 20001, 30001

Json = dict[str, Any]
Found = TypeVar("Found")


class Refused(Exception):
    """The API server refused; the text is its own."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs, and the folder it was built in."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "admin.conf"

    def program(self, name: str) -> str:
        """Return the path of a program that was built with the cluster."""
        return str(self.folder / "bin" / name)

    def kubectl(self, *arguments: str, given: str = "", timeout: float = 60) -> str:
        """Run kubectl and return what it prints.

        Raises:
            Refused: it failed.
        """
        done = subprocess.run(
            [self.program("kubectl"), "--kubeconfig", str(self.kubeconfig), *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stderr.strip())
        return done.stdout

    def create(self, document: Mapping[str, Any], *options: str) -> Json:
        """Create an object and return it as the API server has it."""
        found: Json = json.loads(self.kubectl("create", "-o", "json", "-f", "-", *options, given=json.dumps(document)))
        return found

    def get(self, *arguments: str) -> Json:
        """Return an object or a list."""
        found: Json = json.loads(self.kubectl("get", "-o", "json", *arguments))
        return found

    def execute(self, namespace: str, pod: str, *argv: str) -> bool:
        """Run the image's program in a pod; return whether it succeeded."""
        try:
            self.kubectl("-n", namespace, "exec", pod, "--", "/pause", *argv)
        except Refused as refusal:
            if "terminated with exit code 1" not in str(refusal):
                raise
            return False
        return True

    def wait_for_phase(self, namespace: str, name: str, phase: str) -> Json:
        """Wait until a pod is in a phase, and return it; the first with an image waits for its layers, too."""
        seen: Json = {}

        def reached() -> Json | None:
            pod = self.get("-n", namespace, "pod", name)
            seen.update(pod["status"])
            assert seen["phase"] in ("Pending", "Running", phase), seen
            return pod if seen["phase"] == phase else None

        return wait_for(reached, lambda: seen, 180)

    def run_part(self, command: str, *arguments: str) -> None:
        """Start a part of the cluster again, or send it a signal."""
        subprocess.run(
            [str(ROOT / ".ci" / "cluster"), command, *arguments],
            env=os.environ | {"DAAS_TEST_CLUSTER": str(self.folder)},
            check=True,
            timeout=60,
        )


def require_cluster() -> Cluster:
    """Return the cluster that runs; skip where there is none."""
    folder = os.environ.get("DAAS_TEST_CLUSTER", "")
    if not folder or not Path(folder, "admin.conf").exists():
        missing("kubernetes", "no cluster runs: .ci/cluster build && .ci/cluster start, DAAS_TEST_CLUSTER")
    cluster = Cluster(Path(folder))
    try:
        cluster.kubectl("--request-timeout=5s", "get", "--raw", "/readyz")
    except (Refused, OSError, subprocess.TimeoutExpired) as problem:
        missing("kubernetes", f"the cluster of DAAS_TEST_CLUSTER does not answer: {problem}")
    return cluster


def processes_of(uid: str) -> list[int]:
    """Return the processes of the pod that has this uid, as this machine numbers them."""
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and uid in _cgroup(one)]


def _cgroup(process: Path) -> str:
    try:
        return (process / "cgroup").read_text()
    except OSError:
        return ""


def pod(
    name: str,
    *argv: str,
    labels: Mapping[str, str] | None = None,
    volumes: Sequence[tuple[Json, Json]] = (),
    changes: Mapping[str, Any] | None = None,
) -> Json:
    """Return a pod with all restrictions that runs the image's program.

    Args:
        volumes: each volume with its mount, without their name.
        changes: further fields of the spec.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(labels or {})},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsUser": UID,
                "runAsGroup": UID,
                "runAsNonRoot": True,
                "supplementalGroups": [GROUP],
                "supplementalGroupsPolicy": "Strict",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "session",
                    "image": IMAGE,
                    "imagePullPolicy": "Never",
                    "args": list(argv),
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "resources": {"limits": {"cpu": "100m", "memory": "32Mi"}},
                    "volumeMounts": [{"name": f"v{i}", **mount} for i, (_, mount) in enumerate(volumes)],
                }
            ],
            "volumes": [{"name": f"v{i}", **volume} for i, (volume, _) in enumerate(volumes)],
            **(changes or {}),
        },
    }
