"""The container engine that tests use, and a portal whose sessions run on it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.errors import DockerException

from daas_hub.version import __version__
from tests.conftest import ABSENT, BRIEF, PROBE, SIZES, missing
from tests.experiments import experiments
from tests.live_portal import Portal, new_state, start_portal

#: Debian's own program samples, which an engine in another root may not have at the same path.
SAMPLES = Path("/usr/share/pymca")
TERMINAL = """\
name: terminal
title: Terminal
kind: desktop
command: [sh, -c, 'exec lxterminal --no-remote --working-directory="$HOME"']
"""


def address() -> str:
    """Where the engine is that tests may use."""
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


def image(name: str) -> str:
    """Give one of this project's images, of this version."""
    return f"daas-hub/{name}:{__version__}"


def require_engine(*images: str) -> docker.APIClient:
    """Give a client of the engine; skip where there is none, or where it lacks these images."""
    try:
        client = docker.APIClient(base_url=address(), version="auto", timeout=60)
        client.ping()
    except DockerException as problem:
        missing("docker", f"no container engine answers at {address()}: {problem}")
        raise
    have = {tag for one in client.images() for tag in one["RepoTags"] or []}
    lacking = [one for one in images if one not in have]
    if lacking:
        missing("docker", f"not built here: {', '.join(lacking)} (make images)")
    return client


def start_docker_portal(*, state: Path | None = None, port: int = 0, more_config: str = "", **documents: str) -> Portal:
    """Start a portal whose sessions are containers; `documents` are application files by name."""
    fresh = state is None
    state = state or new_state()
    applications = state / "applications"
    if fresh:
        prepare(state, applications, documents)
    config = (state / "docker_config.py").read_text() + more_config
    return start_portal(applications, state=state, port=port, more_config=config)


def prepare(state: Path, applications: Path, documents: dict[str, str]) -> None:
    """Write the applications, the proposals with their data, and the configuration."""
    applications.mkdir()
    desktop = f"image: {image('desktop')}\n"
    texts = {
        "probe": PROBE + desktop,
        "brief": BRIEF + desktop,
        "absent": ABSENT + desktop,
        "terminal": TERMINAL + desktop,
        "sizes": SIZES,
    }
    for name, text in (texts | documents).items():
        (applications / f"{name}.yaml").write_text(text)
    config = experiments(state)
    proposals = yaml.safe_load((state / "proposals.yaml").read_text())
    data = state / "experiments" / "visitor"
    shutil.copytree(SAMPLES, data)
    for visit in (visit for proposal in proposals["proposals"] for visit in proposal["visits"]):
        visit["data"] = [path.replace(str(SAMPLES), str(data)) for path in visit["data"]]
    (state / "proposals.yaml").write_text(yaml.safe_dump(proposals))
    (state / "docker_config.py").write_text(
        f"{config}\n"
        f"c.Facility.catalogue = [{str(applications)!r}]\n"
        "c.JupyterHub.spawner_class = 'proposal-docker'\n"
        f"c.ProposalDockerSpawner.engine = {address()!r}\n"
        f"c.ProposalDockerSpawner.runtime_dir = {str(state / 'run')!r}\n"
    )


def containers(client: docker.APIClient, portal: Portal) -> list[dict[str, Any]]:
    """Give the containers of a portal's sessions, ended ones too."""
    doors = str(portal.state)
    return [
        one
        for one in client.containers(all=True)
        if any(str(mount.get("Source", "")).startswith(doors) for mount in one["Mounts"])
    ]
