"""The README's first command as it stands there: run in the checkout, it says where to open the portal, and as whom."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.live_portal import free_ports

ROOT = Path(__file__).parents[2]
PEOPLE = ("anna", "ben", "carla", "dmitri")

pytestmark = pytest.mark.sandbox


@pytest.fixture
def demo(sandbox_works: None, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run `make demo`; whatever the test did, it and all it started end."""
    port = free_ports(4)
    running = subprocess.Popen(
        ["make", "--no-print-directory", "demo", f"VENV={sys.prefix}"],
        cwd=ROOT,
        env=os.environ | {"DAAS_DEMO_PORT": str(port), "DAAS_DEMO_STATE": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    yield running, port
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert running.stdout is not None
    running.stdout.close()


def said_until(process: subprocess.Popen[bytes], words: bytes, timeout_s: float) -> str:
    """Read what the command says up to these words."""
    assert process.stdout is not None
    said, until = b"", time.monotonic() + timeout_s
    while words not in said and time.monotonic() < until:
        if select.select([process.stdout], [], [], 0.5)[0]:
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                break
            said += piece
    return said.decode(errors="replace")


def test_make_demo_says_where_to_open_it_and_ends_with_ctrl_c(demo: tuple[subprocess.Popen[bytes], int]) -> None:
    """R07: nothing else to type."""
    running, port = demo
    said = said_until(running, b"Ctrl-C to stop the demo", 120)
    assert f"Open http://daas.localhost:{port}/ in a browser" in said, said[-3000:]
    assert [name for name in PEOPLE if f"\n  {name} " not in said] == []
    assert "DAAS_DEMO_HOST=127.0.0.1 make demo" in said
    # whoever opens it by its number is led to the name, or the login would not find its way back
    login = requests.get(f"http://127.0.0.1:{port}/hub/login", timeout=30, allow_redirects=False)
    assert login.headers["Location"] == f"http://daas.localhost:{port}/hub/login"
    named = requests.get(
        f"http://127.0.0.1:{port}/hub/login",
        headers={"Host": f"daas.localhost:{port}"},
        timeout=30,
        allow_redirects=False,
    )
    assert named.status_code == 200
    os.killpg(running.pid, signal.SIGINT)  # what a terminal sends to everything in it
    said_until(running, b"no such words", 30)
    assert running.wait(30) is not None
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/", timeout=30)


def test_the_demo_starts_without_a_stack_trace(demo: tuple[subprocess.Popen[bytes], int]) -> None:
    """What a newcomer reads first is where to open it, and no error that is none."""
    running, _ = demo
    said = said_until(running, b"Ctrl-C to stop the demo", 120)
    assert "Open http://" in said, said[-3000:]
    noise = [line for line in said.splitlines() if re.search(r"Traceback|Error|error|Deprecat|^\s+at |ECONN", line)]
    assert noise == []


def occupied(port: int) -> socket.socket:
    """Listen on a port, as another program does."""
    other = socket.create_server(("127.0.0.1", port))
    other.listen(16)
    return other


@pytest.mark.parametrize("which", range(4), ids=["portal", "identity provider", "hub", "proxy"])
def test_a_busy_port_is_named_before_anything_is_installed(which: int, tmp_path: Path) -> None:
    """One sentence with the port and what to do, at once; nothing is made."""
    first = free_ports(4)
    with occupied(first + which):
        ran = subprocess.run(
            ["make", "--no-print-directory", "demo", f"VENV={tmp_path}/environment"],
            cwd=ROOT,
            env=os.environ | {"DAAS_DEMO_PORT": str(first), "DAAS_DEMO_STATE": str(tmp_path / "state")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode != 0
    said = [line for line in ran.stderr.splitlines() if line.startswith("make demo:")]
    ports = [line for line in said if f"Port {first + which} of 127.0.0.1 is in use" in line]
    assert len(ports) == 1
    assert "DAAS_DEMO_PORT=" in ports[0]
    assert list(tmp_path.iterdir()) == []


def test_the_command_refuses_a_busy_port(sandbox_works: None, tmp_path: Path) -> None:
    """The same where everything is installed, also for a port that is bound and does not answer."""
    first = free_ports(4)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", first + 1))
        silent.listen(0)
        ran = subprocess.run(
            [str(Path(sys.prefix) / "bin" / "daas-hub"), "demo", str(ROOT / "jupyterhub_config.py")],
            cwd="/",
            env=os.environ | {"DAAS_DEMO_PORT": str(first), "DAAS_DEMO_STATE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert f"port {first + 1} of 127.0.0.1 is in use, and the demo needs {first} to {first + 3}." in ran.stderr


def preflight(environment: Path, **variables: str) -> list[str]:
    """Run what `make demo` looks at first; return its sentences."""
    ran = subprocess.run(
        ["bash", str(ROOT / "scripts" / "preflight.sh"), str(environment)],
        env=os.environ | {"DAAS_DEMO_PORT": str(free_ports(4))} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    said = ran.stderr.splitlines()
    assert (ran.returncode == 0) == (said == [])
    return said


def test_a_machine_that_can_run_the_demo_hears_nothing(sandbox_works: None, tmp_path: Path) -> None:
    assert preflight(tmp_path / "environment") == []


@pytest.mark.parametrize(
    ("program", "script", "words"),
    [
        ("unshare", "echo unshare: Operation not permitted >&2; exit 1", "No sandbox can be built"),
        ("df", "echo; echo /dev/x 100 1 100 99% /", "has 100 MB free, and the demo installs 2500 MB"),
        ("python3", 'case "$*" in *exit*) exit 1;; esac; echo 3.9.2', "Python 3.11 or newer is needed"),
    ],
    ids=["no sandbox", "no space", "old Python"],
)  # fmt: skip
def test_what_would_stop_the_demo_is_said_first(
    sandbox_works: None, tmp_path: Path, program: str, script: str, words: str
) -> None:
    """The machine's own programs answer as on such a machine; one sentence each."""
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / program
    stand_in.write_text(f"#!/bin/sh\n{script}\n")
    stand_in.chmod(0o755)
    (said,) = preflight(tmp_path / "environment", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert words in said


def test_a_missing_package_is_named_with_a_line_that_works_with_empty_lists() -> None:
    """`apt-get install` alone knows no package on a machine whose lists were never fetched."""
    assert "sudo apt-get update && sudo apt-get install" in (ROOT / "Makefile").read_text()
