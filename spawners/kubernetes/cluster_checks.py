"""What the doctor reads of the whole cluster, with an administrator's own kubeconfig: the hub has no right to it.

The file is the one of kubectl, in the environment variable KUBECONFIG; the hub itself never reads it for this.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any

from kubernetes_asyncio.client import CoreV1Api, NetworkingV1Api, SchedulingV1Api

from daas_hub.errors import ConfigurationError
from daas_hub.findings import Finding, not_checked, ok, problem, warning
from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.client import APIRefusal, ClusterUnreachable, Json, PlaceClient
from daas_hub.spawners.kubernetes.labels import HUB_LABEL, MANAGED_BY, MANAGED_BY_LABEL, PLACE_LABEL
from daas_hub.spawners.kubernetes.place import PlaceMixin
from daas_hub.spawners.kubernetes.policy_reading import is_default_deny, opened_by, selects

_PART_OF_LABEL = "app.kubernetes.io/part-of"
_ENFORCE = "pod-security.kubernetes.io/enforce"


async def examine_cluster(settings: PlaceMixin) -> list[Finding]:
    """Read what sessions of a place depend on, as the administrator whose kubeconfig is in KUBECONFIG."""
    did = f"read the cluster of the place {settings.place_label!r} as an administrator"
    file = os.environ.get("KUBECONFIG", "")
    if not file:
        return [not_checked("sessions.cluster-wide", did, "set KUBECONFIG to your own file of kubectl")]
    client = PlaceClient(APIAccess(kubeconfig=file, timeout_s=settings.k8s_api_request_timeout), settings.namespace)
    found: list[Finding] = []
    try:
        for look in (_namespace, _network, _nodes, _priority):
            found += await _result(look(client, settings), f"{did}: {look.__name__[1:]}")
    finally:
        await client.close()
    return found


async def _result(look: Awaitable[list[Finding]], did: str) -> list[Finding]:
    """Return the findings of a check; of one that could not be made, why."""
    try:
        return await look
    except (APIRefusal, ClusterUnreachable, ConfigurationError) as error:
        why = f"{error.message} {error.why}".strip() if isinstance(error, ClusterUnreachable) else str(error)
        return [not_checked("sessions.cluster-wide", did, why)]


async def _namespace(client: PlaceClient, settings: PlaceMixin) -> list[Finding]:
    """Compare the level of Pod Security with what the place needs."""
    did = f"look for the level of Pod Security of the namespace {client.namespace}"
    found = await client.read(CoreV1Api, "read_namespace", client.namespace)
    level = (found["metadata"].get("labels") or {}).get(_ENFORCE, "")
    if level in (("", "privileged") if settings.node_storage else ("restricted",)):
        return [ok("sessions.namespace", did, level or "none")]
    if settings.node_storage:
        return [problem("sessions.namespace", did, level, f"{_ENFORCE}: privileged, or node_storage = False.")]
    fix = f"Label the namespace {_ENFORCE}: restricted, or the chart's admission policy alone limits a stolen hub."
    return [warning("sessions.namespace", did, level or "none", fix)]


async def _network(client: PlaceClient, settings: PlaceMixin) -> list[Finding]:
    """Look for a default deny, and for policies of others that choose sessions: policies add up."""
    did = f"read the network policies of the namespace {client.namespace}"
    found = (await client.read(NetworkingV1Api, "list_namespaced_network_policy", client.namespace))["items"]
    labels = {
        **settings.extra_labels,
        MANAGED_BY_LABEL: MANAGED_BY, HUB_LABEL: settings.hub_id, PLACE_LABEL: settings.place_label,
    }  # fmt: skip
    findings = []
    if not any(map(is_default_deny, found)):
        fix = "Create one that chooses all pods and allows nothing, as the chart's daas-default-deny."
        findings.append(problem("sessions.network", did, "none of them denies everything by default", fix))
    for one in found:
        if not _is_ours(one) and selects(one, labels) and (ways := opened_by(one)):
            name = one["metadata"]["name"]
            result = f"{name} chooses sessions, too, and opens {' and '.join(ways)}; policies add up"
            fix = f"Delete it, or let it choose other pods: kubectl -n {client.namespace} get networkpolicy {name}"
            findings.append(problem("sessions.network", did, result, fix))
    return findings or [ok("sessions.network", did, f"{len(found)}: a default deny, and the portal's own exceptions")]


def _is_ours(policy: Json) -> bool:
    labels = policy["metadata"].get("labels") or {}
    return labels.get(_PART_OF_LABEL) == MANAGED_BY or labels.get(MANAGED_BY_LABEL) == MANAGED_BY


async def _nodes(client: PlaceClient, settings: PlaceMixin) -> list[Finding]:
    """Look at what the nodes of the place can: strict groups, and mounts that are read-only at every level."""
    did = "look at the nodes that sessions may run on"
    found = (await client.read(CoreV1Api, "list_node"))["items"]
    chosen = [one for one in found if _has_labels(one, settings.node_selector)]
    if not chosen:
        return [problem("sessions.nodes", did, "there are none", "Correct KubeSpawner.node_selector, or label nodes.")]
    lacking = {one["metadata"]["name"]: why for one in chosen if (why := ", ".join(_lacks(one)))}
    if not lacking:
        return [ok("sessions.nodes", did, f"{len(chosen)}, with strict groups and recursive read-only mounts")]
    result = "; ".join(f"{name} has no {why}" for name, why in lacking.items())
    fix = "Update its container runtime (containerd 2, CRI-O 1.31), or leave it out with KubeSpawner.node_selector."
    return [(warning if len(lacking) < len(chosen) else problem)("sessions.nodes", did, result, fix)]


def _has_labels(node: Json, wanted: Mapping[str, str]) -> bool:
    labels = node["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in wanted.items())


def _lacks(node: Json) -> Iterator[str]:
    status: Mapping[str, Any] = node.get("status") or {}
    if (status.get("features") or {}).get("supplementalGroupsPolicy") is not True:
        yield "strict groups"
    # the first one, without a name, is that of pods without a runtime class
    handlers = [one for one in status.get("runtimeHandlers") or () if not one.get("name")]
    if not any((one.get("features") or {}).get("recursiveReadOnlyMounts") for one in handlers):
        yield "recursive read-only mounts"


async def _priority(client: PlaceClient, settings: PlaceMixin) -> list[Finding]:
    """Look whether the priority class of sessions lets them end other pods."""
    if not (name := settings.priority_class_name):
        return []
    did = f"look for the priority class {name}"
    try:
        found = await client.read(SchedulingV1Api, "read_priority_class", name)
    except APIRefusal as refusal:
        if refusal.status != 404:
            raise
        return [problem("sessions.priority", did, "it does not exist", "Create it, or correct priority_class_name.")]
    if found.get("preemptionPolicy") != "Never":
        fix = "Create a class with preemptionPolicy: Never, and name it."
        return [problem("sessions.priority", did, "its pods end other people's, so no session is started", fix)]
    return [ok("sessions.priority", did, "it never preempts")]
