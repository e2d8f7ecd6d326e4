"""What sessions need in another cluster than their hub's: the chart without a portal, and a kubeconfig of its account.

The other cluster is the same one, reached as one that is elsewhere: by its address and with a token.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from tests.cluster.chart import CHART, Json, helm
from tests.cluster.cluster import Cluster
from tests.cluster.installed import remove_shared
from tests.waiting import within

#: Of all pods, those of hub and proxy among them.
POD_NETWORK = "10.88.77.0/24"


@dataclass(frozen=True)
class SecondCluster:
    """The release there, and the namespace of its sessions."""

    cluster: Cluster
    namespace: str
    sessions: str

    def kubeconfig(self) -> str:
        """Return what the hub signs in with there."""

        def token() -> str:
            return self.cluster.get("-n", self.namespace, "secret", "hub").get("data", {}).get("token", "")

        secret = base64.b64decode(within(60, token)).decode()
        document: Json = json.loads(self.cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        document["users"] = [{"name": "hub", "user": {"token": secret}}]
        document["contexts"][0]["context"]["user"] = "hub"
        return json.dumps(document)


@contextlib.contextmanager
def second_cluster(cluster: Cluster, name: str, more: Json) -> Iterator[SecondCluster]:
    """Install the chart there; remove it with all that it has.

    Args:
        more: values of `sessions`.
    """
    made = SecondCluster(cluster, name, f"{name}-sessions")
    values = {
        "existingHub": {"enabled": True, "serviceAccount": "hub", "addresses": [POD_NETWORK]},
        "sessions": {**more, "namespace": {"name": made.sessions}},
    }
    try:
        helm(cluster, "install", "remote", str(CHART), "--namespace", name, "--create-namespace", values=values)
        yield made
    finally:
        remove_shared(cluster, name, "remote")
        cluster.kubectl("delete", "namespace", name, made.sessions, "--ignore-not-found", "--wait=false")
