"""A session's server is closed to other processes of its uid; tests/sandbox and tests/docker try it from inside."""

from __future__ import annotations

import subprocess
import sys

STATE = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
SERVER = f"""
import socket, subprocess, sys
from daas_hub.session.hardening import protect_server
listener = socket.create_server(("127.0.0.1", 0))
listener.set_inheritable(True)
protect_server(listener.fileno())
{STATE}
sys.stdout.flush()
# as os.system does: it closes nothing
held = f"import os; os.fstat({{listener.fileno()}})"
print(subprocess.run([sys.executable, "-c", held], close_fds=False, stderr=subprocess.DEVNULL).returncode)
sys.stdout.flush()
subprocess.run([sys.executable, "-c", {STATE!r}])
"""


def test_the_server_cannot_be_traced_and_its_programs_inherit_no_listener() -> None:
    """What it starts can be traced again: debuggers work on the user's own programs where the backend allows them."""
    said = subprocess.run([sys.executable, "-c", SERVER], capture_output=True, text=True, timeout=30, check=True)
    assert said.stdout.split() == ["0", "1", "1"], said


def test_a_descriptor_that_is_not_there_is_refused() -> None:
    program = "from daas_hub.session.hardening import protect_server; protect_server(99)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert said.returncode == 1
    assert "Bad file descriptor" in said.stderr
