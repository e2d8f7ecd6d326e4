"""What the cluster itself promises: identity, read-only data, a network that is closed.

If one of these fails, the cluster of the tests is at fault, and no test of sessions says anything.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import GATEWAY, GROUP, UID, Cluster, Refused, pod
from tests.waiting import within

PORT = 7077

ALLOW_FROM_ALLOWED = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "in"},
    "spec": {
        "podSelector": {"matchLabels": {"role": "server"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"podSelector": {"matchLabels": {"role": "allowed"}}}],
                "ports": [{"protocol": "TCP", "port": PORT}],
            }
        ],
    },
}
DENY: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}


def allow_out(role: str, peer: dict[str, Any], port: int) -> dict[str, Any]:
    """Return a policy that lets pods of a role connect to a peer."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"out-{role}"},
        "spec": {
            "podSelector": {"matchLabels": {"role": role}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [peer], "ports": [{"protocol": "TCP", "port": port}]}],
        },
    }


def status_of(cluster: Cluster, namespace: str, name: str) -> dict[str, str]:
    """Return what the kernel says of the process in a pod that has ended."""
    cluster.wait_for_phase(namespace, name, "Succeeded")
    lines = cluster.kubectl("-n", namespace, "logs", name).splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def address_of(cluster: Cluster, namespace: str, name: str) -> str:
    found: str = cluster.wait_for_phase(namespace, name, "Running")["status"]["podIP"]
    return found


@pytest.fixture
def machine_port() -> Iterator[int]:
    """Listen on this machine's address among pods, as a hub's session gateway does."""
    with socket.create_server((GATEWAY, 0)) as server:
        yield server.getsockname()[1]


def test_a_restricted_pod_is_the_account_and_nothing_more(cluster: Cluster, namespace: str) -> None:
    cluster.create(pod("who", "status"), "-n", namespace)
    status = status_of(cluster, namespace, "who")
    assert status["Uid"].split() == [str(UID)] * 4
    assert status["Gid"].split() == [str(UID)] * 4
    # the groups of the pod, and none of the image's /etc/group
    assert status["Groups"].split() == [str(UID), str(GROUP)]
    assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"hostNetwork": True}, "host namespaces"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "restricted volume types"),
        ({"volumes": [{"name": "v", "nfs": {"server": "192.0.2.1", "path": "/"}}]}, "restricted volume types"),
        ({"securityContext": {"runAsUser": 0}}, "runAsUser=0"),
    ],
)
def test_the_level_restricted_is_enforced(cluster: Cluster, namespace: str, changes: dict[str, Any], word: str) -> None:
    with pytest.raises(Refused, match=word):
        cluster.create(pod("refused", changes=changes), "-n", namespace)


def test_a_directory_of_the_node_is_read_only_down_to_what_is_mounted_below(
    cluster: Cluster, open_namespace: str, tmp_path: Path
) -> None:
    data, below = tmp_path / "data", tmp_path / "data" / "below"
    below.mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o001)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "below", below], check=True)
    try:
        data.chmod(0o1777)
        (data / "raw.txt").write_text("raw\n")
        volume = {"hostPath": {"path": str(data), "type": "Directory"}}
        read_only = {"mountPath": "/data", "readOnly": True, "recursiveReadOnly": "Enabled"}
        cluster.create(pod("reader", volumes=[(volume, read_only)]), "-n", open_namespace)
        # what the recursion is worth: without it, the file system below is writable
        stock = pod("stock", volumes=[(volume, {"mountPath": "/data", "readOnly": True})])
        cluster.create(stock, "-n", open_namespace)
        for name in ("reader", "stock"):
            cluster.wait_for_phase(open_namespace, name, "Running")
        assert cluster.execute(open_namespace, "reader", "read", "/data/raw.txt")
        assert not cluster.execute(open_namespace, "reader", "write", "/data/raw.txt")
        assert not cluster.execute(open_namespace, "reader", "write", "/data/below/new")
        assert cluster.execute(open_namespace, "stock", "write", "/data/below/new")
        assert (data / "raw.txt").read_text() == "raw\n"
    finally:
        cluster.kubectl("-n", open_namespace, "delete", "pod", "--all", "--now", "--wait")
        subprocess.run(["umount", below], check=True)


def require_closed(cluster: Cluster, namespace: str, name: str, address: str) -> None:
    """Check that a pod does not reach an address, once its rules are in force: those of a new pod lag behind it."""
    within(60, lambda: not cluster.execute(namespace, name, "connect", address))


def test_two_pods_are_closed_to_each_other_and_opened_by_label_alone(cluster: Cluster, namespace: str) -> None:
    cluster.create(DENY, "-n", namespace)
    cluster.create(pod("server", "listen", str(PORT), labels={"role": "server"}), "-n", namespace)
    for role in ("allowed", "other"):
        cluster.create(pod(role, labels={"role": role}), "-n", namespace)
    server = f"{address_of(cluster, namespace, 'server')}:{PORT}"
    for role in ("allowed", "other"):
        cluster.wait_for_phase(namespace, role, "Running")
        require_closed(cluster, namespace, role, server)
    cluster.create(ALLOW_FROM_ALLOWED, "-n", namespace)
    peer = {"podSelector": {"matchLabels": {"role": "server"}}}
    cluster.create(allow_out("allowed", peer, PORT), "-n", namespace)
    within(60, lambda: cluster.execute(namespace, "allowed", "connect", server))
    assert not cluster.execute(namespace, "other", "connect", server)


def test_without_a_policy_pods_reach_each_other(cluster: Cluster, namespace: str) -> None:
    """Otherwise the test above would pass on a network that is broken."""
    cluster.create(pod("server", "listen", str(PORT)), "-n", namespace)
    cluster.create(pod("client"), "-n", namespace)
    server = f"{address_of(cluster, namespace, 'server')}:{PORT}"
    cluster.wait_for_phase(namespace, "client", "Running")
    within(60, lambda: cluster.execute(namespace, "client", "connect", server))


def test_this_machine_is_reached_at_one_port_where_a_policy_allows_it(
    cluster: Cluster, namespace: str, machine_port: int
) -> None:
    cluster.create(DENY, "-n", namespace)
    cluster.create(allow_out("allowed", {"ipBlock": {"cidr": f"{GATEWAY}/32"}}, machine_port), "-n", namespace)
    for role in ("allowed", "other"):
        cluster.create(pod(role, labels={"role": role}), "-n", namespace)
        cluster.wait_for_phase(namespace, role, "Running")
    gateway = f"{GATEWAY}:{machine_port}"
    require_closed(cluster, namespace, "other", gateway)
    within(60, lambda: cluster.execute(namespace, "allowed", "connect", gateway))
    # the API server, the kubelet and the API's service are no exception
    for closed in (f"{GATEWAY}:6443", f"{GATEWAY}:10250", "10.88.78.1:443"):
        require_closed(cluster, namespace, "allowed", closed)


def test_this_machine_reaches_a_pod_that_is_closed_to_others(cluster: Cluster, namespace: str) -> None:
    """As a hub outside the cluster needs it: a node always reaches its own pods."""
    cluster.create(DENY, "-n", namespace)
    cluster.create(pod("server", "listen", str(PORT)), "-n", namespace)
    address = address_of(cluster, namespace, "server")

    def connects() -> bool:
        try:
            socket.create_connection((address, PORT), timeout=2).close()
        except OSError:
            return False
        return True

    within(60, connects)


def test_services_and_their_names_lead_to_pods(cluster: Cluster, namespace: str) -> None:
    cluster.create(pod("server", "listen", str(PORT), labels={"role": "server"}), "-n", namespace)
    ports = [{"port": 80, "targetPort": PORT}]
    service = {"metadata": {"name": "server"}, "spec": {"selector": {"role": "server"}, "ports": ports}}
    cluster.create({"apiVersion": "v1", "kind": "Service", **service}, "-n", namespace)
    cluster.create(pod("client"), "-n", namespace)
    for name in ("server", "client"):
        cluster.wait_for_phase(namespace, name, "Running")
    within(60, lambda: cluster.execute(namespace, "client", "connect", f"server.{namespace}.svc.cluster.local:80"))
    # the API server may have been killed a moment ago: it enters its address every 10 s, and the proxy follows later
    within(90, lambda: cluster.execute(namespace, "client", "connect", "kubernetes.default.svc:443"))


def test_the_api_server_logs_who_asked_for_what(cluster: Cluster, namespace: str) -> None:
    cluster.create(pod("logged"), "-n", namespace)
    log = (cluster.folder / "log" / "audit.log").read_text()
    lines = [line for line in log.splitlines() if f'"namespace":"{namespace}"' in line and '"verb":"create"' in line]
    assert any('"resource":"pods"' in line and '"username":"admin"' in line for line in lines)
    assert not any('"requestObject"' in line for line in lines)


@pytest.mark.parametrize("part", ["kubelet", "containerd", "kube-router", "kube-apiserver"])
def test_a_part_is_killed_and_pods_run_on(cluster: Cluster, namespace: str, part: str) -> None:
    cluster.create(pod("runs"), "-n", namespace)
    before = cluster.wait_for_phase(namespace, "runs", "Running")
    cluster.run_part("signal", "KILL", part)
    cluster.run_part("run", part)

    def ready() -> bool:
        try:
            nodes = cluster.get("node", "node1")
            return all(
                one["status"] == "True" for one in nodes["status"]["conditions"] if one["type"] == "Ready"
            ) and cluster.execute(namespace, "runs", "status")
        except Refused:
            return False

    within(60, ready)
    after = cluster.get("-n", namespace, "pod", "runs")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert [one["restartCount"] for one in after["status"]["containerStatuses"]] == [0]


def test_nothing_of_the_engines_rules_is_touched(cluster: Cluster) -> None:
    """The cluster's chains have names of their own, and only they lead out of the chains that all share."""
    enter = f"mount --bind {cluster.folder}/root/usr /usr && exec iptables-nft-save -t filter"
    argv = ["unshare", "--mount", "bash", "-c", enter]
    saved = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    ours = re.findall(r"^-A (INPUT|FORWARD|OUTPUT) .*KUBE-ROUTER-(\w+)", saved, re.MULTILINE)
    assert {one for one in ours if one[0] != one[1]} == set()
    assert {one[0] for one in ours} == {"INPUT", "FORWARD", "OUTPUT"}
    # what a hub on Docker relies on: the chains keep the policy that the engine gave them
    assert re.search(r"^:FORWARD (ACCEPT|DROP) ", saved, re.MULTILINE)
