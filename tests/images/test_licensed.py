"""The definitions of licensed and unobtainable programs, each with a stand-in at the place of its program.

The hub's end of the egress is the test: what a session asks of it, and of nothing else (tests/spawners/test_egress.py
and tests/docker have the hub's own).
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from daas_hub.catalogue import Application, read_catalogue
from daas_hub.spawners.egress import egress_routes
from tests.docker.engine import address, image
from tests.images.conftest import IMAGES
from tests.images.session import Container, container_of
from tests.not_tried import missing

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

FOLDER = IMAGES / "licensed" / "programs"
NAMES = ("atsas", "dawn", "fit2d", "matlab", "origin", "quanty", "sasfit", "savu")
WITH_LICENCE = {"matlab": (27000, 27001), "origin": (27010, 27011)}
#: Connects to every address of its definition, to another port and another host, and keeps what came of it.
STAND_IN = """\
#!/usr/bin/python3 -I
import glob, json, os, socket, sys, time
(ADDRESSES,) = glob.glob("/opt/addresses.json") + glob.glob("/opt/*/addresses.json")
def ask(host, port):
    try:
        with socket.create_connection((host, port), timeout=30) as line:
            return line.recv(100).decode()
    except OSError as problem:
        return type(problem).__name__
asked = {f"{host}:{port}": ask(host, port) for host, port in json.load(open(ADDRESSES))}
kept = {"asked": asked, "started": [os.path.realpath(__file__), *sys.argv[1:]], "environment": dict(os.environ)}
with open(os.environ["HOME"] + "/started.part", "w") as file:
    json.dump(kept, file)
os.rename(os.environ["HOME"] + "/started.part", os.environ["HOME"] + "/started.json")
time.sleep(60)
"""
#: Opens the ports of the egress and starts the desktop, as a notebook server does for the desktops in its launcher.
SESSION = """\
import os, subprocess, sys
environment = dict(os.environ)
from daas_hub.session.egress import open_egress_ports
from daas_hub.session.settings import read_settings
open_egress_ports(read_settings().egress)
desktop = ["daas-session", "--embedded", "/run/session/web.sock", "--application", sys.argv[1]]
sys.exit(subprocess.run(desktop, env=environment).returncode)
"""


def definitions() -> dict[str, Application]:
    catalogue, problems = read_catalogue(IMAGES, FOLDER)
    assert problems == []
    return dict(catalogue.applications)


def place_of(application: Application) -> Path:
    """Return the program, which is the first path of the command that is in /opt."""
    words = [word for part in application.command for word in shlex.split(part.replace("=", " "))]
    return Path(next(word for word in words if word.startswith("/opt/")))


def test_every_one_is_there_and_no_tile_of_the_portal() -> None:
    """The portal in containers takes images/*/application*.yaml: these are for a facility to copy."""
    assert tuple(sorted(definitions())) == NAMES
    assert list((IMAGES / "licensed").glob("application*.yaml")) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_names_its_place_and_its_licence_server(name: str) -> None:
    application = definitions()[name]
    assert application.image.startswith("localhost/daas-hub/licensed:")
    assert place_of(application).parts[:3] == ("/", "opt", name)
    assert f"# Place: /opt/{name}" in (FOLDER / f"{name}.yaml").read_text()
    assert application.egress == tuple(f"licence.facility.org:{port}" for port in WITH_LICENCE.get(name, ()))


@contextmanager
def licence_server(sockets: Path, application: Application) -> Iterator[None]:
    """Answer as the hub does at the socket of each address of the application."""
    listeners = []

    def answer(listener: socket.socket, text: bytes) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                line.sendall(text)

    for route in egress_routes(application.egress):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(sockets / route.socket))
        (sockets / route.socket).chmod(0o666)
        listener.listen()
        listeners.append(listener)
        text = f"licence at {route.host}:{route.port}".encode()
        threading.Thread(target=answer, args=(listener, text), daemon=True).start()
    try:
        yield
    finally:
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def write_stand_in(folder: Path, application: Application) -> list[str]:
    """Write a stand-in to a folder that becomes /opt; return the addresses that it must not reach."""
    stand_in = folder / place_of(application).relative_to("/opt")
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text(STAND_IN)
    own = [(one.host, one.port) for one in egress_routes(application.egress)]
    others = [
        ("licence.facility.org", 22),
        ("licence.facility.org", 27999),
        ("other.facility.org", 27000),
        ("192.0.2.1", 80),
    ]
    (folder / "addresses.json").write_text(json.dumps([*own, *others]))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return [f"{host}:{port}" for host, port in others]


def require_started(container: Container, application: Application, others: list[str]) -> None:
    """Wait for the stand-in, which must have its environment and reach its licence server alone."""
    until = time.monotonic() + 60
    while "started.json" not in container.run(["ls", "/home/visitor"]):
        assert time.monotonic() < until, container.log()
        time.sleep(0.2)
    kept = json.loads(container.run(["cat", "/home/visitor/started.json"]))
    assert kept["started"][0] == str(place_of(application))
    assert application.environment.items() <= kept["environment"].items()
    assert {address: kept["asked"].pop(address) for address in application.egress} == {
        address: f"licence at {address}" for address in application.egress
    }
    assert set(kept["asked"]) == set(others)
    assert set(kept["asked"].values()) <= {"ConnectionRefusedError", "gaierror", "OSError"}, kept["asked"]


def require_image(engine: docker.APIClient) -> str:
    tag = image("licensed")
    if not engine.images(tag):
        missing("docker", f"not built here: {tag} (make image IMAGE=licensed)")
    return tag


@pytest.mark.parametrize("name", NAMES)
def test_it_starts_its_program_which_reaches_its_licence_server_alone(
    engine: docker.APIClient, name: str, tmp_path: Path
) -> None:
    application = replace(definitions()[name], image=require_image(engine))
    others = write_stand_in(tmp_path, application)
    session = ["python", "-c", SESSION, name]
    with container_of(
        engine, application, session, [application], programs=tmp_path, around=licence_server
    ) as container:
        require_started(container, application, others)


@pytest.fixture
def with_matlab(engine: docker.APIClient, tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """An image with a stand-in, built as docs/how-to/licensed-programs.md says; and what it must not reach."""
    require_image(engine)
    others = write_stand_in(tmp_path, definitions()["matlab"])
    program = tmp_path / "matlab"
    # an installer's helper that runs as root, and a directory for everybody: neither may be in an image
    helper = program / "bin" / "licence-helper"
    helper.write_text("#!/bin/sh\n")
    helper.chmod(0o4755)
    (tmp_path / "addresses.json").rename(program / "addresses.json")
    tag = f"localhost/daas-hub-test/matlab:{secrets.token_hex(4)}"
    ended = build_with_program("--build-context", f"program={program}", "--build-arg", "PROGRAM=matlab", "--tag", tag)
    assert ended.returncode == 0, ended.stderr[-3000:]
    yield tag, others
    engine.remove_image(tag, force=True)


def build_with_program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Build images/licensed/with-program.Dockerfile without a network."""
    command = shlex.split(os.environ.get("DAAS_TEST_DOCKER") or "docker")
    registry, _, version = image("licensed").rpartition("/licensed:")
    where = ["--build-arg", f"REGISTRY={registry}", "--build-arg", f"VERSION={version}", "--network", "none"]
    dockerfile = "images/licensed/with-program.Dockerfile"
    return subprocess.run(
        [*command, "build", "--progress=plain", "--file", dockerfile, *where, *arguments, "."],
        cwd=IMAGES.parent,
        env=os.environ | {"DOCKER_HOST": address()},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_image_of_the_facility_has_its_program(engine: docker.APIClient, with_matlab: tuple[str, list[str]]) -> None:
    """Nothing is mounted; the program of the image is started, and no file of it runs as somebody else."""
    tag, others = with_matlab
    application = replace(definitions()["matlab"], image=tag)
    session = ["python", "-c", SESSION, "matlab"]
    with container_of(engine, application, session, [application], around=licence_server) as container:
        require_started(container, application, others)
        assert container.run(["find", "/opt/matlab", "-perm", "/6000"]) == ""
        assert container.run(["sh", "-c", "touch /opt/matlab/x 2> /dev/null || echo read-only"]) == "read-only\n"
    labels = engine.inspect_image(tag)["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "matlab"
    assert labels["org.opencontainers.image.licenses"] == "LicenseRef-Proprietary"
    assert engine.inspect_image(tag)["Config"]["User"] == "65534:65534"


def test_an_image_without_the_name_of_its_program_is_not_built(engine: docker.APIClient, tmp_path: Path) -> None:
    require_image(engine)
    (tmp_path / "program").touch()
    ended = build_with_program("--build-context", f"program={tmp_path}")
    assert ended.returncode != 0
    assert 'test -n "${PROGRAM}"' in ended.stderr
