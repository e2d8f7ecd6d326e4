"""What Kubernetes fills into a pod: the API server's defaults, and those of its own admission controllers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ANY = object()
_PROBES = {
    "failureThreshold": 3,
    "grpc.service": "",
    "httpGet.path": "/",
    "httpGet.scheme": "HTTP",
    "periodSeconds": 10,
    "successThreshold": 1,
    "timeoutSeconds": 1,
}
#: By the place of the field, with the value that it may have.
_FILLED: Mapping[str, Any] = {
    **dict.fromkeys(
        (
            "metadata.creationTimestamp", "metadata.finalizers", "metadata.generation", "metadata.managedFields",
            "metadata.resourceVersion", "metadata.selfLink", "metadata.uid",
            # of the namespace's service account, and of a priority class that is the cluster's default
            "spec.imagePullSecrets", "spec.preemptionPolicy", "spec.priority", "spec.priorityClassName",
            # of the namespace: it narrows the choice of nodes
            "spec.nodeSelector", "spec.nodeSelector[]",
            # of the runtime class that was asked for
            "spec.overhead",
            # another gate delays the pod, and changes nothing of it
            "spec.schedulingGates[]",
        ),
        _ANY,
    ),
    "spec.schedulerName": "default-scheduler",
    "spec.serviceAccount": "default",
    "spec.serviceAccountName": "default",
    "spec.volumes[].configMap.defaultMode": 420,
    "spec.volumes[].downwardAPI.defaultMode": 420,
    "spec.volumes[].projected.defaultMode": 420,
    "spec.containers[].lifecycle.preStop.httpGet.path": "/",
    "spec.containers[].lifecycle.preStop.httpGet.scheme": "HTTP",
    **{
        f"spec.{containers}[].terminationMessagePath": "/dev/termination-log"
        for containers in ("containers", "initContainers")
    },
    **{
        f"spec.containers[].{probe}.{field}": value
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        for field, value in _PROBES.items()
    },
}  # fmt: skip
_CONFINING = re.compile(r"(?:container\.)?(?:apparmor|seccomp)\.security\..+")
#: Of the admission controller DefaultTolerationSeconds.
_NODE_CONDITIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def is_filled_in(pattern: str, name: str, value: Any) -> bool:
    """Return whether Kubernetes itself may have added this field.

    Args:
        pattern: its place, without names of items: "spec.containers[].terminationMessagePath".
        name: of the field, or of the item.
    """
    if pattern == "metadata.annotations":
        return not any(map(confines, value))
    if pattern == "metadata.annotations[]":
        return not confines(name)
    if pattern == "spec.tolerations":
        return all(map(is_tolerated_anyway, value))
    wanted = _FILLED.get(pattern)
    return wanted is _ANY or (wanted is not None and value == wanted)


def confines(annotation: str) -> bool:
    """Return whether an annotation changes what confines a container; any other is a remark."""
    return _CONFINING.fullmatch(annotation) is not None


def is_tolerated_anyway(toleration: Mapping[str, Any]) -> bool:
    """Return whether Kubernetes adds this toleration to every pod: for minutes, on a node that does not answer."""
    return toleration.get("key") in _NODE_CONDITIONS and toleration.get("tolerationSeconds") is not None
