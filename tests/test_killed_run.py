"""A run of the tests that is killed leaves nothing running."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """
import conftest, sys, time
from pathlib import Path
from tests.live_portal import start_portal
portal = start_portal(state=Path(sys.argv[1]))
print(portal.port, flush=True)
time.sleep(600)
"""


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def test_a_killed_run_ends_its_portal(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        # the portal's proxy, its identity provider, the hub, and the proxy's own interface
        assert all(is_open(port + number) for number in range(4))
        run.kill()
    until = time.monotonic() + 60
    while time.monotonic() < until and any(is_open(port + number) for number in range(4)):
        time.sleep(0.2)
    assert not any(is_open(port + number) for number in range(4))
