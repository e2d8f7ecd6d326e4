"""The container engine that tests use, and a portal whose sessions run on it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import yaml

from daas_hub.version import __version__
from tests.conftest import ABSENT, BRIEF, LICENSED, PROBE, RESULTS_PROBE, SIZES
from tests.experiments import experiments
from tests.live_portal import Portal, new_state, start_portal
from tests.not_tried import missing

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
    own = os.environ.get("DAAS_TEST_ENGINE", "")
    if own:
        return f"unix://{own}/docker.sock"
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


def image(name: str) -> str:
    """Return one of this project's images, of this version."""
    return f"{os.environ.get('DAAS_REGISTRY') or 'localhost/daas-hub'}/{name}:{__version__}"


def require_engine(*images: str) -> docker.APIClient:
    """Return a client of the engine; skip where there is none, or where it lacks these images."""
    problem = _why_not_there()
    if problem:
        missing("docker", f"no container engine answers at {address()}: {problem}")
    client = docker.APIClient(base_url=address(), version="1.44", timeout=60)
    have = {tag for one in client.images() for tag in one["RepoTags"] or []}
    lacking = [one for one in images if one not in have]
    if lacking:
        client.close()
        missing("docker", f"not built here: {', '.join(lacking)} (make images)")
    return client


def _why_not_there() -> str:
    """Return why nobody can be asked; "" if somebody can. The client library would leave its socket open."""
    url = urlsplit(address())
    if url.scheme != "unix":
        return "tests use an engine of this machine"
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(url.path)
        except OSError as refusal:
            return str(refusal)
    return ""


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
    ample = "sizes: [ample]\n"
    desktop = f"image: {image('desktop')}\n"
    texts = {
        "probe": PROBE + ample + desktop,
        "results": RESULTS_PROBE + ample + desktop,
        "hdf5": PROBE.replace("probe\ntitle: Probe", "hdf5\ntitle: HDF5") + ample + f"image: {image('notebook')}\n",
        "licensed": LICENSED + ample + desktop,
        "brief": BRIEF + desktop,
        "absent": ABSENT + ample + desktop,
        "terminal": TERMINAL + ample + desktop,
        "sizes": SIZES + "  ample: {title: Ample, memory: 1 GiB, cpus: 2, processes: 500, hours: 12}\n",
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
    """Return the containers of a portal's sessions, ended ones too."""
    doors = str(portal.state)
    return [
        one
        for one in client.containers(all=True)
        if any(str(mount.get("Source", "")).startswith(doors) for mount in one["Mounts"])
    ]


class Control:
    """The switch of an engine that tests may turn off: the folder `.ci/engine` was given."""

    SCRIPT = Path(__file__).parents[2] / ".ci" / "engine"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_tests(cls) -> Control:
        """Return the switch of the engine tests use; skip where it is somebody else's engine."""
        folder = os.environ.get("DAAS_TEST_ENGINE", "")
        if not folder:
            missing("docker", "the engine is not the tests' own (DAAS_TEST_ENGINE), so it is not ended")
        return cls(Path(folder))

    def do(self, command: str, options: str = "", hide: Path | None = None) -> None:
        """start, stop, kill."""
        env = os.environ | {"DAAS_ENGINE_OPTIONS": options, "DAAS_ENGINE_HIDE": str(hide or "")}
        subprocess.run([self.SCRIPT, command, self.folder], check=True, env=env, timeout=120)

    @classmethod
    @contextlib.contextmanager
    def small_engine(cls, *, megabytes: int, options: str = "", hide: Path | None = None) -> Iterator[str]:
        """Run a second engine whose disk has so much room; give its address.

        Args:
            options: more options of dockerd.
            hide: a folder of this machine it does not see.
        """
        own = cls.of_tests()
        small = Path(tempfile.mkdtemp(prefix="engine-", dir="/var/tmp"))
        data = small / "data"
        data.mkdir()
        (small / "root").symlink_to(own.folder / "root")
        # not --bridge=none, with which an engine deletes docker0, another engine's; sessions use no bridge at all
        bridge = f"daas{secrets.token_hex(4)}"
        subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "small", data], check=True)
        try:
            cls(small).do("start", f"--bridge={bridge} --iptables=false --ip6tables=false {options}", hide)
            yield f"unix://{small}/docker.sock"
        finally:
            cls(small).do("stop")
            subprocess.run(["ip", "link", "delete", bridge], check=False)
            subprocess.run(["umount", "-l", data], check=False)
            shutil.rmtree(small, ignore_errors=True)


#: The applications people open first, from this project's images.
APPLICATIONS = {
    "pymca": f"name: pymca\ntitle: PyMca\nkind: desktop\ncommand: [pymca]\nsizes: [ample]\nimage: {image('pymca')}\n",
    "lab": f"name: jupyterlab\ntitle: JupyterLab\nkind: notebook\nsizes: [ample]\nimage: {image('notebook')}\n",
}
