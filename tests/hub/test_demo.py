"""The README's first command as it stands there: run in the checkout, it says where to open the portal, and as whom."""

from __future__ import annotations

import contextlib
import os
import select
import signal
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
    said = said_until(running, b"Ctrl-C ends the demo", 120)
    assert f"Open http://127.0.0.1:{port}/ in a browser" in said, said[-3000:]
    assert [name for name in PEOPLE if f"\n  {name} " not in said] == []
    assert requests.get(f"http://127.0.0.1:{port}/", timeout=10).status_code == 200
    os.killpg(running.pid, signal.SIGINT)  # what a terminal sends to everything in it
    said_until(running, b"no such words", 30)
    assert running.wait(5) is not None
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/", timeout=10)
