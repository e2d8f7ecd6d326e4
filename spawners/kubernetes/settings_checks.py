"""Checks of what an administrator says about the pods of a place, before anybody launches one. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from daas_hub.catalogue import Application, Kind
from daas_hub.errors import ConfigurationError
from daas_hub.spawners.kubernetes.network_policy import egress_problems
from daas_hub.spawners.kubernetes.pod_settings import Placement, PodSettings, SizeInPlace
from daas_hub.spawners.kubernetes.volumes import Storage

#: Fields of `PodSettings` that have a setting of their own.
_ELSEWHERE = {
    "hub_id": "ProposalKubeSpawner.hub_id",
    "namespace": "KubeSpawner.namespace",
    "place": "ProposalKubeSpawner.place_label",
    "storage": "ProposalKubeSpawner.storage",
    "node_storage": "ProposalKubeSpawner.node_storage",
    "hub_has_storage": "ProposalKubeSpawner.hub_has_storage",
    "environment": "Spawner.environment",
    "labels": "KubeSpawner.extra_labels",
    "annotations": "KubeSpawner.extra_annotations",
    "pod_extras": "KubeSpawner.extra_pod_config",
    "container_extras": "KubeSpawner.extra_container_config",
    "security_extras": "KubeSpawner.pod_security_context",
    "volumes": "KubeSpawner.volumes",
    "volume_mounts": "KubeSpawner.volume_mounts",
    "affinity": "KubeSpawner.node_affinity_required and the like",
    "scheduler": "KubeSpawner.scheduler_name",
    "priority_class": "KubeSpawner.priority_class_name",
    "placement": "KubeSpawner.node_selector and KubeSpawner.tolerations",
    "image_pull_policy": "KubeSpawner.image_pull_policy",
    "pull_secrets": "KubeSpawner.image_pull_secrets",
    "grace_s": "ProposalKubeSpawner.grace_period_s",
}
POD_FIELDS = tuple(one.name for one in dataclasses.fields(PodSettings) if one.name not in _ELSEWHERE)
_EXAMPLES = {
    "allow_tags": "True",
    "by_beamline": '{"ID21": Placement({"facility.org/zone": "id21"})}',
    "by_size": '{"gpu": SizeInPlace(resources={"nvidia.com/gpu": 1})}',
    "egress_addresses": '{"licence.facility.org": ("192.0.2.17",)}',
    "ephemeral_bytes": "8 * 2**30",
    "grace_by_application": '{"pymca": 60}',
    "port": "8888",
}


def pods_problems(pods: Mapping[str, Any]) -> Iterator[ConfigurationError]:
    """Yield what of `ProposalKubeSpawner.pods` is unknown, set elsewhere, or of another type."""
    setting = "ProposalKubeSpawner.pods"
    for name, value in pods.items():
        if name in _ELSEWHERE:
            remedy = f"Remove it, and set {_ELSEWHERE[name]}."
            yield ConfigurationError(setting, name, "is a setting of its own", remedy=remedy)
        elif name not in POD_FIELDS:
            remedy = f"These are: {', '.join(POD_FIELDS)}."
            yield ConfigurationError(setting, name, "is unknown", remedy=remedy)
        elif not _MEANT[name](value):
            message = f"is not what {name} is about"
            yield ConfigurationError(setting, value, message, remedy=f'Example: {{"{name}": {_EXAMPLES[name]}}}.')


def storage_problems(storages: Iterable[Any], *, node_storage: bool) -> Iterator[ConfigurationError]:
    """Yield what of `ProposalKubeSpawner.storage` cannot be used."""
    setting, seen = "ProposalKubeSpawner.storage", set()
    for one in storages:
        if not isinstance(one, Storage):
            remedy = "Use ClaimStorage, CsiStorage, NfsStorage or HostPathStorage; CephFS is mounted by its CSI driver."
            yield ConfigurationError(setting, one, "is not a kind of storage", remedy=remedy)
            continue
        prefix = str(one.prefix)
        if not one.prefix.is_absolute() or ".." in one.prefix.parts:
            remedy = 'Name it as the facility does: PurePosixPath("/data/visitor").'
            yield ConfigurationError(setting, prefix, "is not an absolute path", remedy=remedy)
        if one.needs_node_access and not node_storage:
            remedy = "Use a claim or a CSI driver; or set node_storage = True, for a namespace that lets it in."
            message = f"is {one.kind}, which a namespace with the restricted profile refuses"
            yield ConfigurationError(setting, prefix, message, remedy=remedy)
        if prefix in seen:
            yield ConfigurationError(setting, prefix, "is there twice", remedy="Remove one of them.")
        seen.add(prefix)


def require_storage(storages: Iterable[Any]) -> Iterator[ConfigurationError]:
    """Yield an error if there is no storage at all: every session has a home."""
    if not list(storages):
        remedy = 'Example: [ClaimStorage(PurePosixPath("/data"), claim="data")].'
        yield ConfigurationError("ProposalKubeSpawner.storage", [], "is empty, so no session has a home", remedy=remedy)


def addresses_problems(applications: Iterable[Application], pods: Mapping[str, Any]) -> list[ConfigurationError]:
    """Return what a network policy cannot say of the addresses that applications name in `egress`."""
    egress = {one.name: one.egress for one in applications if one.kind is not Kind.LINK}
    return egress_problems(egress, pods.get("egress_addresses", {}))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _maps_to(is_item: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return whether a value is a map of names to such items."""
    return lambda value: (
        isinstance(value, Mapping)
        and all(isinstance(name, str) for name in value)
        and all(is_item(item) for item in value.values())
    )


_MEANT: Mapping[str, Callable[[Any], bool]] = {
    "allow_tags": lambda value: isinstance(value, bool),
    "by_beamline": _maps_to(lambda item: isinstance(item, Placement)),
    "by_size": _maps_to(lambda item: isinstance(item, SizeInPlace)),
    "egress_addresses": _maps_to(
        lambda item: isinstance(item, list | tuple) and all(isinstance(one, str) for one in item)
    ),
    "ephemeral_bytes": _is_count,
    "grace_by_application": _maps_to(_is_count),
    "port": _is_count,
}
