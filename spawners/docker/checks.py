"""Checks of sessions in containers before anybody launches one: settings, engine, images, and a trial."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from aiodocker import DockerError
from traitlets.config import Config

from daas_hub.catalogue import Kind
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.facility import Facility
from daas_hub.findings import Finding, ok, problem, warning
from daas_hub.launch import Plan
from daas_hub.spawners.docker.address import Address, default_certificates, default_engine
from daas_hub.spawners.docker.engine import Engine
from daas_hub.spawners.docker.messages import refusal_of
from daas_hub.spawners.docker.trial import try_container
from daas_hub.spawners.probe_findings import findings_of, nothing_tried, trial_failed


def address_problems(config: Config) -> list[DaasError]:
    """Return what is wrong with the engine's address, without asking the engine."""
    ours = config.get("ProposalDockerSpawner", {})
    address = Address(
        str(ours.get("engine") or default_engine()), str(ours.get("certificates") or default_certificates())
    )
    try:
        address.require_safe()
    except ConfigurationError as problem:
        return [problem]
    if address.is_remote and not find_spec("asyncssh"):
        return [
            ConfigurationError(
                "ProposalDockerSpawner.engine",
                address.url,
                "is an engine on another machine, which needs asyncssh",
                remedy="Install daas-hub[remote] in the hub's environment.",
            )
        ]
    return []


def applications_without_image(facility: Facility) -> list[DaasError]:
    """Return an error for each application that cannot be a container."""
    return [
        ConfigurationError(
            "Facility.catalogue",
            one.name,
            "has no image, and sessions are containers here",
            remedy="Add to its file: image: localhost/daas-hub/pymca:0.1.0 (with a tag or a digest).",
        )
        for one in facility.applications.applications.values()
        if one.kind is not Kind.LINK and not one.image
    ]


async def examine(
    engine: Engine, facility: Facility, plan: Plan | None, *, pulls: bool, below: Path, read_only: tuple[Path, ...]
) -> list[Finding]:
    """Ask the engine what it is and has, and run a container as for this launch.

    Args:
        pulls: whether missing images are pulled at the first launch.
        below: where the container of the trial may have its directory.
        read_only: directories that every session may read.
    """
    did = f"ask the engine at {engine.address.url} what it can do"
    try:
        await engine.require_able()
        found = [ok("sessions.engine", did, "it confines sessions, and mounts read-only recursively")]
    except DaasError as error:
        remedy = error.remedy or "Is it running, and may the hub's user connect to its socket?"
        return [problem("sessions.engine", did, error.message, remedy)]
    for one in facility.applications.applications.values():
        if one.kind is Kind.LINK:
            continue
        did = f"look for the image of {one.title} ({one.image})"
        if await engine.image(one.image or ""):
            found.append(ok("sessions.images", did, "it is there"))
        elif pulls:
            remedy = f"The first launch pulls it, which takes time: docker pull {one.image}"
            found.append(warning("sessions.images", did, "it is not on the engine", remedy))
        else:
            remedy = (
                f"Build it: make image IMAGE={one.name}. If a registry of yours has it: docker pull {one.image}, "
                "or ProposalDockerSpawner.pull = 'missing'."
            )
            found.append(problem("sessions.images", did, "it is not on the engine", remedy))
    if plan is None or not await engine.image(plan.application.image or ""):
        return [*found, nothing_tried()]
    try:
        report = await try_container(plan, engine, below=below, read_only=read_only)
    except DockerError as error:
        return [*found, trial_failed(refusal_of(plan, error.message))]
    except DaasError as error:
        return [*found, trial_failed(error)]
    return [*found, *findings_of(report, plan)]
