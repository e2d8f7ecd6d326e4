"""A run of the tests that is killed, and a portal whose hub is killed, leave nothing running."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.live_portal import start_portal

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """
import conftest, sys, time
from pathlib import Path
import pytest

from tests.live_portal import start_portal
portal = start_portal(state=Path(sys.argv[1]))
print(portal.port, flush=True)
time.sleep(600)
"""


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def require_closed(port: int) -> None:
    """Wait until nobody listens on a portal's ports."""
    until = time.monotonic() + 60
    while any(is_open(port + number) for number in range(4)):
        assert time.monotonic() < until, [number for number in range(4) if is_open(port + number)]
        time.sleep(0.2)


def test_a_killed_run_ends_its_portal(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        # the portal's proxy, its identity provider, the hub, and the proxy's own interface
        assert all(is_open(port + number) for number in range(4))
        run.kill()
    require_closed(port)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_portal_whose_hub_was_killed_is_stopped_whole(tmp_path: Path, restarted: bool) -> None:
    """Its identity provider outlives its hub, as the proxy does, and another hub does not end it."""
    tmp_path.chmod(0o755)
    portal = start_portal(state=tmp_path)
    portal.process.kill()
    portal.process.wait()
    assert is_open(portal.port)
    assert is_open(portal.port + 1)
    if restarted:
        portal.process = start_portal(state=tmp_path, port=portal.port).process
    portal.stop()
    require_closed(portal.port)
