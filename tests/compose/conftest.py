"""The portal in containers, as `docker compose up` starts it, with its own name, ports and directory."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import docker
import pytest
import requests
from playwright.sync_api import Browser

from tests.browser.conftest import OUTPUT, SessionUser, browser
from tests.docker.engine import TERMINAL, address, image, require_engine
from tests.live_portal import Portal, free_ports, new_state
from tests.not_tried import missing

__all__ = ["browser"]

ROOT = Path(__file__).parents[2]
HUB_LABEL = "org.daas-hub.hub"
START_TIMEOUT_S = 120.0


@dataclass
class Stack:
    """A running compose project: its address, the directory of its storage, and how to talk to its services."""

    name: str
    port: int
    state: Path
    engine: docker.APIClient
    ca: Path
    host: str = "localhost"

    @property
    def url(self) -> str:
        """The portal's address."""
        return f"https://{self.host}:{self.port}/daas"

    @property
    def idp_port(self) -> int:
        """The port of the demo's identity provider."""
        return self.port + 1

    @property
    def http_port(self) -> int:
        """The port that sends browsers on to https."""
        return self.port + 2

    def compose(self, *argv: str, check: bool = True) -> str:
        """Run `docker compose` for this project; give what it printed."""
        env = os.environ | {
            "DOCKER_HOST": address(),
            "COMPOSE_PROJECT_NAME": self.name,
            "DAAS_ENGINE": address().removeprefix("unix://"),
            "DAAS_DIR": str(self.state),
            "DAAS_CATALOGUE": str(self.state / "catalogue"),
            "DAAS_HOST": self.host,
            "DAAS_PORT": str(self.port),
            "DAAS_IDP_PORT": str(self.idp_port),
            "DAAS_HTTP_PORT": str(self.http_port),
        }
        command = [os.environ.get("DAAS_TEST_DOCKER", "docker"), "compose", "-f", str(ROOT / "compose.yaml"), *argv]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, env=env, timeout=240)
        assert not check or ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def up(self) -> None:
        """Start everything, and wait until the portal answers."""
        self.compose("up", "-d", "--no-build")
        self.wait()

    def wait(self) -> None:
        """Wait until the portal answers, over TLS that holds."""
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            with contextlib.suppress(AssertionError):
                self.ca.write_text(self.compose("exec", "-T", "hub", "cat", "/run/daas-trust/ca.pem"))
                with contextlib.suppress(requests.RequestException):
                    if requests.get(f"{self.url}/hub/login", verify=str(self.ca), timeout=30).ok:
                        return
            time.sleep(0.5)
        raise AssertionError(self.compose("logs", "--tail", "40", check=False))

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of a service's container."""
        found: dict[str, Any] = self.engine.inspect_container(f"{self.name}-{service}-1")
        return found

    def sessions(self) -> list[dict[str, Any]]:
        """Return the containers of its sessions, ended ones too."""
        found: list[dict[str, Any]] = self.engine.containers(all=True, filters={"label": f"{HUB_LABEL}={self.name}"})
        return found

    def arrive(self, browser: Browser, subject: str) -> SessionUser:
        """Return somebody who signed in, with a browser of their own."""
        context = browser.new_context(viewport={"width": 1200, "height": 800}, ignore_https_errors=True)
        person = SessionUser(cast(Portal, self), context, context.new_page())
        person.watch(person.page)
        person.login(subject)
        return person


def write_catalogue(folder: Path) -> None:
    """Write the shipped applications' files, and one more: a terminal that fills the screen."""
    for file in (ROOT / "images").glob("*/application*.yaml"):
        (folder / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / file.parent.name / file.name)
    shutil.copyfile(ROOT / "images" / "sizes.yaml", folder / "sizes.yaml")
    (folder / "terminal").mkdir()
    (folder / "terminal" / "application.yaml").write_text(f"{TERMINAL}sizes: [small]\nimage: {image('desktop')}\n")


@contextlib.contextmanager
def running_stack(folder: Path, host: str = "localhost") -> Iterator[Stack]:
    """Run the compose project under this name of the portal; `folder` is for its CA."""
    client = require_engine(*(image(name) for name in ("hub", "nginx", "desktop", "pymca")))
    program = os.environ.get("DAAS_TEST_DOCKER", "docker")
    if shutil.which(program) is None or subprocess.run([program, "compose", "version"], check=False).returncode:
        missing("docker", f"{program} compose is not installed (DAAS_TEST_DOCKER names another program)")
    if not address().startswith("unix:///"):
        missing("docker", "the engine is not on this machine")
    name = f"daas-test-{random.randrange(10**6)}"
    running = Stack(name, free_ports(3), new_state(), client, folder / "ca.pem", host)
    try:
        write_catalogue(running.state / "catalogue")
        running.up()
        yield running
    finally:
        OUTPUT.mkdir(exist_ok=True)
        (OUTPUT / f"compose-{host}.log").write_text(running.compose("logs", "--no-color", check=False))
        running.compose("stop", "hub", check=False)
        for one in running.sessions():
            client.remove_container(one["Id"], v=True, force=True)
        running.compose("down", "-v", "--remove-orphans", check=False)
        shutil.rmtree(running.state, ignore_errors=True)
        client.close()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One for all tests of this folder."""
    with running_stack(tmp_path_factory.mktemp("trust")) as running:
        yield running
