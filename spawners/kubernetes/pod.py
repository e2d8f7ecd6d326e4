"""The pod: a plan becomes the manifest of `POST /api/v1/namespaces/NAME/pods`. Pure; what is not named is not allowed.

The account's numbers and exactly its groups, at the pod, so that no container of it can have others; no capability and
no way to more; no token of the cluster; a root that cannot be written. Every text is literal: the kubelet would expand
`$(NAME)` in commands and variables, so it is escaped there, and nothing is a template. Nothing in it is secret, and
nothing in it names a person, except the account's own home.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

from daas_hub.catalogue import Kind
from daas_hub.errors import ConfigurationError, SessionFailed
from daas_hub.launch import Plan
from daas_hub.spawners.guest_layout import folder_of_several, outside_home, target_of, temporary_home_bytes
from daas_hub.spawners.kubernetes.first_look import first_look
from daas_hub.spawners.kubernetes.labels import (
    COMPARED_GATE,
    DEADLINE_ANNOTATION,
    DIRECTORIES_CONTAINER,
    EGRESS_LABEL,
    HUB_LABEL,
    INSTANCE_LABEL,
    LAUNCH_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PLACE_LABEL,
    SESSION_CONTAINER,
    SESSION_LABEL,
    START_LABEL,
)
from daas_hub.spawners.kubernetes.network_policy import egress_label, host_aliases
from daas_hub.spawners.kubernetes.placement import scheduling, size_in_place
from daas_hub.spawners.kubernetes.pod_settings import (
    CONTAINER_EXTRAS,
    FILES_DIR,
    IDENTITY_FILES,
    POD_EXTRAS,
    SECURITY_EXTRAS,
    PodIdentity,
    PodSettings,
)
from daas_hub.spawners.kubernetes.volumes import Volumes

_MIB = 2**20
_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod_for(plan: Plan, settings: PodSettings, identity: PodIdentity) -> dict[str, Any]:
    """Return the manifest of a session's pod, with the gate that keeps it from being scheduled.

    Args:
        plan: with its directories opened: one with a pattern is refused.

    Raises:
        StorageProblem: a directory is not available in this place.
        SessionFailed: the account or the proposals do not fit the place; worded for the user.
        ConfigurationError: an image has no digest, or a host of `egress` has no address.
    """
    require_image(plan.application.image, settings, plan.application.name)
    account = plan.account
    if account.uid <= 0 or account.gid <= 0 or any(gid <= 0 for gid in account.groups):
        raise SessionFailed(
            "Your account has a number that sessions may not have.", remedy="Please tell the administrators."
        )
    volumes = volumes_of(plan, settings, identity)
    spec: dict[str, Any] = {
        **{name: settings.pod_extras[name] for name in POD_EXTRAS if name in settings.pod_extras},
        "restartPolicy": "Never",
        "schedulingGates": [{"name": COMPARED_GATE}],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostNetwork": False,
        "hostPID": False,
        "hostIPC": False,
        "shareProcessNamespace": False,
        "hostname": "session",
        "terminationGracePeriodSeconds": settings.grace_by_application.get(plan.application.name, settings.grace_s),
        "securityContext": {
            **{name: settings.security_extras[name] for name in SECURITY_EXTRAS if name in settings.security_extras},
            "runAsUser": account.uid,
            "runAsGroup": account.gid,
            "runAsNonRoot": True,
            "supplementalGroups": [gid for gid in dict.fromkeys(account.groups) if gid != account.gid],
            "supplementalGroupsPolicy": "Strict",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_session(plan, settings, identity, volumes.mounts)],
        "volumes": volumes.volumes,
    }
    if first := _directories(plan, settings, volumes.mounts):
        spec["initContainers"] = [first]
    if "dnsPolicy" not in spec:
        # a session needs no name, and must not learn those of the facility's servers
        spec |= {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}
    if aliases := host_aliases(plan.application.egress, settings.egress_addresses):
        spec["hostAliases"] = [*spec.get("hostAliases", []), *aliases]
    spec |= scheduling(plan, settings)
    if settings.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.pull_secrets]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(plan, settings, identity), "spec": spec}


def require_image(image: str, settings: PodSettings, application: str) -> None:
    """Check that an application's image is one that every node has the same of.

    Raises:
        ConfigurationError: it has no image, or only a tag.
    """
    if not image:
        raise ConfigurationError(
            "Facility.catalogue",
            application,
            "has no image, and sessions are pods here",
            remedy="Add to its file: image: registry.example.org/daas/pymca@sha256:... (with its digest).",
        )
    if not settings.allow_tags and not _DIGEST.fullmatch(image):
        raise ConfigurationError(
            "Facility.catalogue",
            application,
            f"has the image {image}, whose tag may be another image on each node",
            remedy="Add its digest: image: registry.example.org/daas/pymca:1.0@sha256:...",
        )


def volumes_of(plan: Plan, settings: PodSettings, identity: PodIdentity) -> Volumes:
    """Return the volumes of a pod and the mounts of its container: the plan's, in memory, generated, administrator's.

    Raises:
        StorageProblem: a directory is not available in this place.
    """
    volumes = Volumes(settings.storage, node_storage=settings.node_storage)
    for mount in plan.mounts:
        volumes.add(mount, target_of(plan, mount.target))
    for mount, path in outside_home(plan):
        volumes.add(mount, path)
    if plan.temporary_home:
        volumes.add_empty("home", plan.home, temporary_home_bytes(plan), in_memory=True)
    for path, most in disk_limits(plan, settings).items():
        volumes.add_empty(path.strip("/").replace("/", "-"), path, most)
    volumes.add_empty("shm", "/dev/shm", plan.size.memory_bytes // 4, in_memory=True)  # noqa: S108
    volumes.add_empty("run-session", "/run/session", 64 * _MIB, in_memory=True)
    # X compiles its keyboard maps into here
    volumes.add_empty("xkb", "/var/lib/xkb", 4 * _MIB, in_memory=True)
    if folder := folder_of_several(plan):
        # nothing can be added to the directory that holds them; `_directories` makes the mount points in it
        volumes.add_empty("several", f"{plan.home}/{folder}", _MIB, in_memory=True, read_only=True)
    if identity.files_secret:
        volumes.add_secret("files", identity.files_secret, FILES_DIR)
        for name in IDENTITY_FILES:
            volumes.mounts.append({"name": "files", "mountPath": f"/etc/{name}", "subPath": name, "readOnly": True})
    volumes.add_given(settings.volumes, settings.volume_mounts)
    # outer ones first, as a person reads them; the container runtime sorts them itself
    volumes.mounts.sort(key=lambda one: (str(one["mountPath"]).count("/"), str(one["mountPath"])))
    return volumes


def disk_limits(plan: Plan, settings: PodSettings) -> dict[str, int]:
    """Return the directories on the node's disk, with the most that each may hold: the kubelet ends a pod with more."""
    disk = _ephemeral_bytes(plan, settings)
    return {"/tmp": disk // 2, "/var/tmp": disk // 4}  # noqa: S108  # inside


def _ephemeral_bytes(plan: Plan, settings: PodSettings) -> int:
    return size_in_place(plan, settings).ephemeral_bytes or settings.ephemeral_bytes


def literal(text: str) -> str:
    """Return a text as the kubelet must have it in a command or a variable to leave it as it is: `$(` doubled."""
    return text.replace("$", "$$")


def moment(seconds: float) -> str:
    """Return a time as in Kubernetes' own records: UTC, to the second."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _metadata(plan: Plan, settings: PodSettings, identity: PodIdentity) -> dict[str, Any]:
    annotations = dict(settings.annotations)
    if identity.ends:
        annotations[DEADLINE_ANNOTATION] = moment(identity.ends)
    labels = {
        **settings.labels,
        HUB_LABEL: settings.hub_id,
        PLACE_LABEL: settings.place,
        SESSION_LABEL: identity.session,
        START_LABEL: identity.start_id,
        LAUNCH_LABEL: identity.start_id[:8],
        **({INSTANCE_LABEL: identity.instance} if identity.instance else {}),
        EGRESS_LABEL: egress_label(plan.application.egress),
        MANAGED_BY_LABEL: MANAGED_BY,
    }
    return {
        "name": identity.name,
        "namespace": settings.namespace,
        "labels": labels,
        **({"annotations": annotations} if annotations else {}),
    }


def _session(plan: Plan, settings: PodSettings, identity: PodIdentity, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the session's container."""
    program = identity.program or (("daas-lab",) if plan.application.kind is Kind.NOTEBOOK else ("daas-session",))
    variables = {
        **settings.environment,
        **identity.variables,
        "HOME": plan.home,
        "USER": plan.account.name,
    }
    extras = {name: settings.container_extras[name] for name in CONTAINER_EXTRAS if name in settings.container_extras}
    sources = list(extras.pop("envFrom", []))
    if identity.environment_secret:
        # the kubelet expands nothing in these
        sources.append({"secretRef": {"name": identity.environment_secret, "optional": False}})
    resources = _resources(plan, settings)
    return {
        **extras,
        "name": SESSION_CONTAINER,
        "image": plan.application.image,
        "imagePullPolicy": settings.image_pull_policy,
        # not `args`: the entry point of an image is not for our programs
        "command": [literal(one) for one in program],
        "workingDir": plan.home,
        "env": [{"name": name, "value": literal(value)} for name, value in variables.items()],
        **({"envFrom": sources} if sources else {}),
        "ports": [{"name": "session", "containerPort": settings.port, "protocol": "TCP"}],
        "resources": {"limits": resources, "requests": dict(resources)},
        "securityContext": dict(_CONTAINER_SECURITY),
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }


def _directories(plan: Plan, settings: PodSettings, mounts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the container that prepares directories before the session's; None if it is not needed."""
    look = first_look(plan, mounts, hub_has_storage=settings.hub_has_storage)
    if look is None:
        return None
    resources = _resources(plan, settings, with_devices=False)
    return {
        "name": DIRECTORIES_CONTAINER,
        "image": plan.application.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": [literal(one) for one in look["command"]],
        "workingDir": "/",
        # it ends before the session's begins, which has the same: a limit of the cluster may be for each container
        "resources": {"limits": resources, "requests": dict(resources)},
        "securityContext": dict(_CONTAINER_SECURITY),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": look["volumeMounts"],
    }


def _resources(plan: Plan, settings: PodSettings, *, with_devices: bool = True) -> dict[str, str]:
    """Return the limits, which are the requests as well: a session has what its size says, and no more."""
    size = size_in_place(plan, settings)
    return {
        "cpu": f"{round(plan.size.cpus * 1000)}m",
        "memory": str(plan.size.memory_bytes),
        "ephemeral-storage": str(_ephemeral_bytes(plan, settings)),
        **({name: str(count) for name, count in size.resources.items()} if with_devices else {}),
    }
