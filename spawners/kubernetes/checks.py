"""Checks of a place before anybody launches a session there: its settings, the API server, and the hub's rights."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from daas_hub.catalogue import Kind, Size
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.facility import Facility
from daas_hub.findings import Finding, ok, problem
from daas_hub.spawners.kubernetes.address import host_and_port
from daas_hub.spawners.kubernetes.client import APIRefusal, ClusterUnreachable
from daas_hub.spawners.kubernetes.instance import REMEDY, is_of_another, read_instance, words_of_others
from daas_hub.spawners.kubernetes.place import LABEL_VALUE
from daas_hub.spawners.kubernetes.pod import require_image

if TYPE_CHECKING:
    from daas_hub.spawners.kubernetes.place import PlaceMixin

#: What the hub does in the sessions' namespace: nothing of it needs more than this one namespace.
RIGHTS = (
    ("create", "pods", ""),
    ("get", "pods", ""),
    ("list", "pods", ""),
    ("watch", "pods", ""),
    ("patch", "pods", ""),
    ("delete", "pods", ""),
    ("get", "pods", "log"),
    ("create", "secrets", ""),
    ("list", "events", ""),
)
#: What it must not be able to do: each means anything in every session, or any account's data on a node.
TOO_MUCH = (("create", "pods", "exec"), ("get", "secrets", ""), ("list", "secrets", ""))


def place_problems(settings: PlaceMixin) -> list[DaasError]:
    """Return what is wrong with the settings of a place, without asking the cluster."""
    problems: list[DaasError] = []
    for name, value in (("hub_id", settings.hub_id), ("place_label", settings.place_label)):
        if not LABEL_VALUE.fullmatch(value):
            problems.append(
                ConfigurationError(
                    f"ProposalKubeSpawner.{name}",
                    value,
                    "is not a name of lower-case letters, digits and hyphens, of at most 40",
                    remedy="Set a name that no other hub of the namespace has, for instance 'portal'.",
                )
            )
    for name, value, must_be_ip in (
        ("gateway_bind", settings.gateway_bind, True),
        ("gateway_address", settings.gateway_address, True),
    ):
        try:
            host, port = host_and_port(value)
            if not port:
                raise ValueError("expected a port")
            if must_be_ip:
                ipaddress.ip_address(host)
        except ValueError:
            problems.append(
                ConfigurationError(
                    f"ProposalKubeSpawner.{name}",
                    value,
                    "is not an IP address with a port",
                    remedy="Example: 10.96.40.12:8012. Sessions have no name server.",
                )
            )
    return problems


def images_problems(settings: PlaceMixin, facility: Facility) -> list[DaasError]:
    """Return an error for each application that cannot be a pod."""
    problems: list[DaasError] = []
    for one in facility.applications.applications.values():
        if one.kind is Kind.LINK:
            continue
        try:
            require_image(one.image, settings.pod_settings, one.name)
        except ConfigurationError as error:
            problems.append(error)
    return problems


def gpu_problems(settings: PlaceMixin, facility: Facility) -> list[DaasError]:
    """Return an error for each size with GPUs that asks the cluster for none."""
    return [
        ConfigurationError(
            "sizes.yaml",
            size.name,
            "has GPUs, and ProposalKubeSpawner.pods['by_size'] has no resources for it",
            remedy=f'Add {{"by_size": {{"{size.name}": SizeInPlace(resources={{"nvidia.com/gpu": {size.gpus}}})}}}}.',
        )
        for size in facility.applications.sizes.values()
        if size.gpus and not _resources_of(settings, size)
    ]


def _resources_of(settings: PlaceMixin, size: Size) -> Mapping[str, int]:
    place = (settings.pods.get("by_size") or {}).get(size.name)
    return place.resources if place else {}


async def examine(settings: PlaceMixin) -> list[Finding]:
    """Ask the API server what the hub may do in the sessions' namespace."""
    client = settings.client
    did = f"ask the cluster of the place {settings.place_label!r} for its pods in {client.namespace}"
    try:
        pods, _ = await client.pods(settings.selector)
    except ClusterUnreachable as error:
        remedy = "May the hub reach the API server (network policies, firewall), and is the address right?"
        if error.is_about_trust:
            remedy = "Give the hub the certificate of the API server's authority, and compare the clocks."
        return [problem("sessions.cluster", did, f"{error.message} {error.why}".strip(), remedy)]
    except ConfigurationError as error:
        return [problem("sessions.cluster", did, error.message, error.remedy)]
    except APIRefusal as refusal:
        remedy = "Give the hub's service account the Role of the chart in that namespace."
        if refusal.status == 401:
            remedy = "Renew the hub's token or client certificate, and compare the clocks."
        return [problem("sessions.cluster", did, str(refusal), remedy), *await _rights(settings)]
    finally:
        await client.close()
    others = [pod for pod in pods if is_of_another(pod, read_instance(Path(settings.runtime_dir)))]
    found = [ok("sessions.cluster", did, f"it has {len(pods) - len(others)} of this hub")]
    if others:
        found.append(problem("sessions.hub_id", did, words_of_others(others), REMEDY))
    try:
        found += await _rights(settings)
    finally:
        await client.close()
    return found


def storage_findings(settings: PlaceMixin) -> list[Finding]:
    """Say for each storage of a place who walks the path to a directory: what squashes root may refuse it."""
    did = f"look at the storage of the place {settings.place_label!r}"
    return [ok("sessions.storage", did, f"{one.prefix} ({one.kind}): {one.walker}") for one in settings.storage]


async def _rights(settings: PlaceMixin) -> list[Finding]:
    """Compare what the hub may do with what it needs."""
    client = settings.client
    did = f"ask what the hub may do in {client.namespace}"
    missing, unneeded = [], []
    try:
        for right in RIGHTS:
            if not await client.may(*right):
                missing.append(_words(right))
        for right in TOO_MUCH:
            if await client.may(*right):
                unneeded.append(_words(right))
    except (APIRefusal, ClusterUnreachable) as error:
        return [problem("sessions.rights", did, str(error), "May the hub create a SelfSubjectAccessReview?")]
    if missing:
        remedy = "Give its service account the Role of the chart in that namespace."
        return [problem("sessions.rights", did, f"it may not {', '.join(missing)}", remedy)]
    if unneeded:
        remedy = "Take these rights away: whoever controls the hub would have them in every session."
        return [problem("sessions.rights", did, f"it may {', '.join(unneeded)}, which it does not need", remedy)]
    return [ok("sessions.rights", did, "what it needs, and no exec, and no Secrets to read")]


def _words(right: tuple[str, str, str]) -> str:
    verb, resource, sub = right
    return f"{verb} {resource}{f'/{sub}' if sub else ''}"
