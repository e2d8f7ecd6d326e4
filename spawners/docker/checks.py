"""What is wrong with sessions in containers before anybody launches one: settings, engine, images, and a trial."""

from __future__ import annotations

import os
from pathlib import Path

from docker.errors import APIError
from traitlets.config import Config

from daas_hub.catalogue import Kind
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.facility import Facility
from daas_hub.findings import Finding, ok, problem, warning
from daas_hub.launch import Plan
from daas_hub.spawners.docker.engine import Address, Engine
from daas_hub.spawners.docker.messages import refusal_of
from daas_hub.spawners.docker.trial import try_container
from daas_hub.spawners.probe_findings import findings_of, nothing_tried, trial_failed

#: Settings of the stock spawner that would change a container behind our back: they are refused, not ignored.
NOT_OURS = (
    "image", "allowed_images", "cmd", "volumes", "read_only_volumes", "mounts", "links", "network_name", "host_ip",
    "use_internal_ip", "use_internal_hostname", "extra_create_kwargs", "extra_host_config", "name_template", "prefix",
    "remove", "post_start_cmd", "client_kwargs", "tls_config", "pull_policy", "mem_limit", "cpu_limit",
    "format_volume_name", "mem_guarantee", "cpu_guarantee", "notebook_dir", "args",
)  # fmt: skip


def default_engine() -> str:
    """Return the engine's address where none is configured."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def default_certificates() -> str:
    """Return the folder of its certificates where none is configured; "" for none."""
    return os.environ.get("DOCKER_CERT_PATH", "")


def foreign_settings(config: Config) -> list[ConfigurationError]:
    """Return the settings of the stock spawner that are set: each would be taken for granted, and does nothing here."""
    return [
        ConfigurationError(
            f"{section}.{name}",
            "(set)",
            "does not apply: a session's container follows from the application, its size and the mounts",
            remedy="Remove the line; the page 'Docker host for a facility' says what to set instead.",
        )
        for section in ("DockerSpawner", "ProposalDockerSpawner", "Spawner")
        for name in config.get(section, {})
        if name in NOT_OURS
    ]


def configuration_problems(config: Config, facility: Facility) -> list[DaasError]:
    """Return settings that do not apply, an engine's address nobody should use, and applications without an image."""
    problems: list[DaasError] = [*foreign_settings(config)]
    ours = config.get("ProposalDockerSpawner", {})
    try:
        Address(
            str(ours.get("engine", default_engine())), str(ours.get("certificates", default_certificates()))
        ).require_safe()
    except ConfigurationError as problem:
        problems.append(problem)
    problems += [
        ConfigurationError(
            "Facility.catalogue",
            one.name,
            "names no image, and sessions are containers here",
            remedy="Add to its file: image: localhost/daas-hub/pymca:0.1.0 (with a tag or a digest).",
        )
        for one in facility.applications.applications.values()
        if one.kind is not Kind.LINK and not one.image
    ]
    return problems


async def examine(
    engine: Engine, facility: Facility, plan: Plan | None, *, fetches: bool, below: Path, read_only: tuple[Path, ...]
) -> list[Finding]:
    """Ask the engine what it is and has, and run a container as for this launch.

    Args:
        fetches: whether images that are not there are fetched at the first launch.
        below: where the container of the trial may have its folder.
        read_only: directories that every session may read.
    """
    did = f"asked the engine at {engine.address.url} what it can do"
    try:
        await engine.require_able()
        found = [ok("sessions.engine", did, "it confines sessions, and mounts read-only all the way down")]
    except DaasError as error:
        remedy = error.remedy or "Does it run, and may the hub's user reach its socket?"
        return [problem("sessions.engine", did, error.message, remedy)]
    for one in facility.applications.applications.values():
        if one.kind is Kind.LINK:
            continue
        did = f"looked for the image of {one.title} ({one.image})"
        if await engine.image(one.image):
            found.append(ok("sessions.images", did, "it is there"))
        elif fetches:
            remedy = f"The first launch fetches it, which takes time: docker pull {one.image}"
            found.append(warning("sessions.images", did, "it is not on the engine", remedy))
        else:
            remedy = f"docker pull {one.image}, or build it: make image IMAGE={one.name}"
            found.append(problem("sessions.images", did, "it is not on the engine", remedy))
    if plan is None or not await engine.image(plan.application.image):
        return [*found, nothing_tried()]
    try:
        told = await try_container(plan, engine, below=below, read_only=read_only, hub_label=engine.hub)
    except APIError as error:
        return [*found, trial_failed(refusal_of(plan, str(error.explanation or error)))]
    except DaasError as error:
        return [*found, trial_failed(error)]
    return [*found, *findings_of(told, plan)]
