"""A package index (pypiserver) with one wheel, and the application that reaches it (docs/how-to/own-packages.md)."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import LICENCE_HOST
from tests.docker.engine import image
from tests.live_portal import free_ports

#: This machine's own name, which resolves here and, because of the egress, in the session.
HOST = LICENCE_HOST.lower()
PORT = free_ports(1)
APPLICATION = f"""\
name: lab-packages
title: Own packages
kind: notebook
image: {image("notebook")}
sizes: [ample]
start_page: /lab
egress: ["{HOST}:{PORT}"]
environment:
  PIP_INDEX_URL: http://{HOST}:{PORT}/simple/
  PIP_TRUSTED_HOST: {HOST}
  PIP_DISABLE_PIP_VERSION_CHECK: "1"
  PIP_RETRIES: "0"
"""


def write_wheel(folder: Path) -> None:
    """Write the package `beamstop`."""
    info = "beamstop-1.0.dist-info"
    files = {
        "beamstop.py": "RADIUS = 42\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: beamstop\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / "beamstop-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in (files | {f"{info}/RECORD": record}).items():
            wheel.writestr(name, text)


@contextlib.contextmanager
def package_mirror(folder: Path) -> Iterator[None]:
    """Run it on the loopback interface."""
    packages = folder / "packages"
    packages.mkdir()
    write_wheel(packages)
    address = ["--interface", "127.0.0.1", "--port", str(PORT)]
    command = ["run", *address, "--disable-fallback", str(packages)]
    with subprocess.Popen([Path(sys.executable).with_name("pypi-server"), *command]) as server:
        try:
            _wait_until_it_answers()
            yield
        finally:
            server.terminate()


def _wait_until_it_answers(timeout_s: float = 20) -> None:
    until = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, "the package index does not answer"
            time.sleep(0.1)
        else:
            return
