"""Own packages from a mirror: a real package index, and a session whose egress is that one address."""

from __future__ import annotations

import json
from pathlib import Path

import docker
import pytest

from tests.docker.notebook import run_cell
from tests.docker.package_mirror import HOST, PORT, package_mirror
from tests.live_portal import Portal, free_ports

pytestmark = pytest.mark.docker

INSTALL = """
import subprocess
pip = "/home/ben/environments/mine/bin/pip"
def run(*command):
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(ended.returncode, ended.stdout)
run("new-kernel", "mine")
run(pip, "install", "beamstop")
run(pip, "install", "absent-package")
run("/home/ben/environments/mine/bin/python", "-c", "import beamstop; print('radius', beamstop.RADIUS)")
"""
#: The mirror's other ports, other names and addresses, the machine itself, and names that a resolver would know.
REACH = """
import json, socket
def ask(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as problem:
        return type(problem).__name__
    return "reached"
print(json.dumps({f"{host}:{port}": ask(host, port) for host, port in ADDRESSES}))
"""


def test_pip_installs_from_the_mirror_and_nothing_else_is_reached(
    portal: Portal, applications: docker.APIClient, tmp_path: Path
) -> None:
    ben = portal.login("ben")
    other_port = free_ports(1)
    with package_mirror(tmp_path):
        session = ben.launch("lab-packages")
        printed = run_cell(ben, session, INSTALL)
        addresses = [
            (HOST, PORT), (HOST, other_port), (HOST, portal.port), ("127.0.0.1", PORT), ("127.0.0.1", portal.port),
            ("another.facility.org", 443), ("192.0.2.1", 443), ("172.17.0.1", portal.port),
        ]  # fmt: skip
        reached = json.loads(run_cell(ben, session, REACH.replace("ADDRESSES", repr(addresses))))
    ben.stop(session)
    assert f"Downloading http://{HOST}:{PORT}/packages/beamstop-1.0-py3-none-any.whl" in printed, printed
    assert "Successfully installed beamstop-1.0" in printed
    assert "radius 42" in printed
    # the mirror has no such package, and pip has nowhere else to look
    assert "No matching distribution found for absent-package" in printed
    assert reached.pop(f"{HOST}:{PORT}") == "reached"
    assert "reached" not in reached.values(), reached
    assert len(reached) == len(addresses) - 1
