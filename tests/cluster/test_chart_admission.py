"""What a stolen hub could still start: pods of the sessions' namespace as the chart's admission policy lets them in.

Whoever has the hub's rights may create pods there. In a place with directories of its nodes the level *restricted*
cannot be enforced, so each row here is a pod that would be root on a node without the policy.
"""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.chart import LEAST, merged, objects, render
from tests.cluster.cluster import IMAGE, UID, Cluster, Refused, pod
from tests.waiting import within

Json = dict[str, Any]
Change = Callable[[Json], object]
ADMISSION = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
NODE = {
    "enabled": True,
    "hostPaths": [{"path": "/data/visitor", "readOnly": True}, {"path": "/home", "readOnly": False}],
    "nfs": [{"server": "192.0.2.1", "path": "/export/visitor", "readOnly": True}],
}
READ_ONLY: Json = {"mountPath": "/data", "readOnly": True, "recursiveReadOnly": "Enabled"}


def _prepared(cluster: Cluster, sessions: Json) -> Iterator[str]:
    """Apply what the chart has of a sessions' namespace; yield its name."""
    name = f"daas-test-{secrets.token_hex(4)}"
    values = merged(LEAST, {"sessions": {"namespace": {"name": name}, "priorityClass": {"create": False}, **sessions}})
    found = [
        each for each in objects(render(cluster, values, "--namespace", name + "-hub"))
        if each["kind"] in (*ADMISSION, "Namespace")
    ]  # fmt: skip
    try:
        for each in found:
            cluster.create(each)
        within(60, lambda: _accepts(cluster, name))
        # a policy counts some moments after it was created
        within(
            20, lambda: not _is_admitted(cluster, name, pod("first", changes={"automountServiceAccountToken": True}))
        )
        yield name
    finally:
        for each in reversed(found):
            cluster.kubectl("delete", each["kind"], each["metadata"]["name"], "--wait=false")


def _is_admitted(cluster: Cluster, namespace: str, document: Json) -> bool:
    try:
        cluster.create(document, "-n", namespace, "--dry-run=server")
    except Refused:
        return False
    return True


def _accepts(cluster: Cluster, namespace: str) -> bool:
    try:
        cluster.get("-n", namespace, "serviceaccount", "default")
    except Refused:
        return False
    return _is_admitted(cluster, namespace, pod("fine"))


@pytest.fixture(scope="module")
def node_place(cluster: Cluster) -> Iterator[str]:
    """A namespace of sessions that have directories of their node."""
    yield from _prepared(cluster, {"nodeStorage": NODE, "imagePrefixes": ["localhost/daas-ci/"]})


@pytest.fixture(scope="module")
def restricted_place(cluster: Cluster) -> Iterator[str]:
    """A namespace of sessions as the chart's own values have it."""
    yield from _prepared(cluster, {})


def container(document: Json) -> Json:
    found: Json = document["spec"]["containers"][0]
    return found


def host_path(path: str, mount: Json, **more: str) -> Json:
    return pod("session", volumes=[({"hostPath": {"path": path, **more}}, mount)])


@pytest.mark.parametrize(
    "document",
    [
        pod("session"),
        host_path("/data/visitor", READ_ONLY),
        host_path("/data/visitor/MA-1/id21", READ_ONLY, type="Directory"),
        host_path("/home/anna", {"mountPath": "/home/anna"}),
        pod("session", volumes=[({"nfs": {"server": "192.0.2.1", "path": "/export/visitor/1"}}, READ_ONLY)]),
        pod("session", volumes=[({"persistentVolumeClaim": {"claimName": "home"}}, {"mountPath": "/home/anna"})]),
        # what KubeSpawner.volumes may have
        pod("session", volumes=[({"projected": {"sources": [{"configMap": {"name": "tools"}}]}}, {"mountPath": "/t"})]),
    ],
)
def test_what_sessions_are_is_admitted(cluster: Cluster, node_place: str, document: Json) -> None:
    cluster.create(document, "-n", node_place, "--dry-run=server")


HOST_PATHS = {
    "root": host_path("/", READ_ONLY),
    "a name that begins alike": host_path("/data/visitors", READ_ONLY),
    "its parent": host_path("/data", READ_ONLY),
    "etc": host_path("/etc", READ_ONLY),
    "the runtime's socket": host_path("/run/containerd/containerd.sock", READ_ONLY, type="Socket"),
    "a socket below": host_path("/home/anna/socket", {"mountPath": "/s"}, type="Socket"),
    "a device below": host_path("/home/anna/disk", {"mountPath": "/s"}, type="BlockDevice"),
    "made by the kubelet": host_path("/home/bob", {"mountPath": "/home/bob"}, type="DirectoryOrCreate"),
    "raw data writable": host_path("/data/visitor/MA-1", {"mountPath": "/data"}),
    "raw data writable below": host_path("/data/visitor/MA-1", {"mountPath": "/data", "readOnly": True}),
    "raw data if possible": host_path(
        "/data/visitor/MA-1", {"mountPath": "/data", "readOnly": True, "recursiveReadOnly": "IfPossible"}
    ),
    "another server": pod(
        "session", volumes=[({"nfs": {"server": "192.0.2.9", "path": "/export/visitor"}}, READ_ONLY)]
    ),
    "another export": pod("session", volumes=[({"nfs": {"server": "192.0.2.1", "path": "/export"}}, READ_ONLY)]),
    "nfs writable": pod(
        "session", volumes=[({"nfs": {"server": "192.0.2.1", "path": "/export/visitor"}}, {"mountPath": "/data"})]
    ),
    "a token of the API": pod(
        "session",
        volumes=[({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}, {"mountPath": "/t"})],
    ),
}


@pytest.mark.parametrize("name", HOST_PATHS)
def test_volumes_of_another_kind_or_place_are_refused(cluster: Cluster, node_place: str, name: str) -> None:
    with pytest.raises(Refused, match="ValidatingAdmissionPolicy"):
        cluster.create(HOST_PATHS[name], "-n", node_place, "--dry-run=server")


def test_a_second_mount_of_raw_data_must_be_read_only_too(cluster: Cluster, node_place: str) -> None:
    document = host_path("/data/visitor/MA-1", READ_ONLY)
    container(document)["volumeMounts"].append({"name": "v0", "mountPath": "/again"})
    with pytest.raises(Refused, match="recursively read-only"):
        cluster.create(document, "-n", node_place, "--dry-run=server")


CHANGES: dict[str, Change] = {
    "root": lambda d: d["spec"]["securityContext"].update(runAsUser=0, runAsNonRoot=False),
    "a system account": lambda d: d["spec"]["securityContext"].update(runAsUser=33),
    "root's group": lambda d: d["spec"]["securityContext"].update(runAsGroup=0),
    "no uid": lambda d: d["spec"]["securityContext"].pop("runAsUser"),
    "no gid": lambda d: d["spec"]["securityContext"].pop("runAsGroup"),
    "root as a group": lambda d: d["spec"]["securityContext"].update(supplementalGroups=[0]),
    "groups of the image": lambda d: d["spec"]["securityContext"].update(supplementalGroupsPolicy="Merge"),
    "the data's group rewritten": lambda d: d["spec"]["securityContext"].update(fsGroup=UID),
    "no pod identity": lambda d: d["spec"].pop("securityContext"),
    "no seccomp": lambda d: d["spec"]["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    "a sysctl": lambda d: d["spec"]["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    "an SELinux type": lambda d: d["spec"]["securityContext"].update(seLinuxOptions={"type": "spc_t"}),
    "AppArmor off": lambda d: d["spec"]["securityContext"].update(appArmorProfile={"type": "Unconfined"}),
    "privileged": lambda d: container(d)["securityContext"].update(privileged=True, allowPrivilegeEscalation=True),
    "setuid": lambda d: container(d)["securityContext"].update(allowPrivilegeEscalation=True),
    "setuid by default": lambda d: container(d)["securityContext"].pop("allowPrivilegeEscalation"),
    "a capability": lambda d: container(d)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
    "capabilities by default": lambda d: container(d)["securityContext"].pop("capabilities"),
    "a container of another uid": lambda d: container(d)["securityContext"].update(runAsUser=0),
    "a container of another gid": lambda d: container(d)["securityContext"].update(runAsGroup=0),
    "a writable image": lambda d: container(d)["securityContext"].update(readOnlyRootFilesystem=False),
    "all of /proc": lambda d: (
        d["spec"].update(hostUsers=False), container(d)["securityContext"].update(procMount="Unmasked")
    ),
    "no restrictions at all": lambda d: container(d).pop("securityContext"),
    "an init container of root": lambda d: d["spec"].update(
        initContainers=[{"name": "i", "image": IMAGE, "securityContext": {"runAsUser": 0}}]
    ),
    "the node's network": lambda d: d["spec"].update(hostNetwork=True),
    "the node's processes": lambda d: d["spec"].update(hostPID=True),
    "the node's memory": lambda d: d["spec"].update(hostIPC=True),
    "a port of the node": lambda d: container(d).update(ports=[{"containerPort": 80, "hostPort": 80}]),
    "a node of its choice": lambda d: d["spec"].update(nodeName="node1"),
    "a token": lambda d: d["spec"].update(automountServiceAccountToken=True),
    "a token by default": lambda d: d["spec"].pop("automountServiceAccountToken"),
    "another image": lambda d: container(d).update(image="docker.io/library/alpine"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_each_restriction_is_held_without_the_level_restricted(cluster: Cluster, node_place: str, name: str) -> None:
    document = copy.deepcopy(pod("session"))
    CHANGES[name](document)
    with pytest.raises(Refused, match="ValidatingAdmissionPolicy"):
        cluster.create(document, "-n", node_place, "--dry-run=server")


def test_no_container_is_added_to_a_session_that_runs(cluster: Cluster, node_place: str) -> None:
    cluster.create(pod("session"), "-n", node_place)
    ephemeral = {"name": "e", "image": IMAGE, "securityContext": container(pod("session"))["securityContext"]}
    patch = json.dumps({"spec": {"ephemeralContainers": [ephemeral]}})
    with pytest.raises(Refused, match="no ephemeral containers"):
        cluster.kubectl("-n", node_place, "patch", "pod", "session", "--subresource=ephemeralcontainers", "-p", patch)
    # what the hub changes of a running session: its deadline
    cluster.kubectl("-n", node_place, "annotate", "pod", "session", "daas-hub/deadline=2026-11-30T14:00:00Z")


def test_the_restricted_place_has_no_directories_of_the_node(cluster: Cluster, restricted_place: str) -> None:
    namespace = cluster.get("namespace", restricted_place)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    cluster.create(pod("session"), "-n", restricted_place, "--dry-run=server")
    with pytest.raises(Refused, match="restricted volume types"):
        cluster.create(host_path("/data/visitor", READ_ONLY), "-n", restricted_place, "--dry-run=server")
    document = pod("session")
    document["spec"]["securityContext"]["runAsUser"] = 33
    with pytest.raises(Refused, match="uid and gid of an account"):
        cluster.create(document, "-n", restricted_place, "--dry-run=server")


def test_without_the_policy_all_of_them_are_admitted(cluster: Cluster, open_namespace: str) -> None:
    """Otherwise the API server itself refuses them, and the tests above say nothing of the policy."""
    documents = dict(HOST_PATHS)
    for name, change in CHANGES.items():
        documents[name] = copy.deepcopy(pod("session"))
        change(documents[name])
    assert [name for name, each in documents.items() if not _is_admitted(cluster, open_namespace, each)] == []
