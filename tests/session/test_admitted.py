"""A session's server that starts before its session is admitted: what it does until then, and what it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daas_hub.session.admitted import ADMITTED, ADMITTED_FD, WAITING, is_admitted


def test_it_waits_for_the_first_program() -> None:
    read_fd, write_fd = os.pipe()
    env = {ADMITTED_FD: str(read_fd), "HOME": "/home/anna"}
    os.write(write_fd, ADMITTED)
    assert is_admitted(env)
    os.close(write_fd)
    # no program of the session inherits it
    assert env == {"HOME": "/home/anna"}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_fd)


def test_a_refused_session_has_no_server() -> None:
    read_fd, write_fd = os.pipe()
    os.close(write_fd)
    assert not is_admitted({ADMITTED_FD: str(read_fd)})


def test_elsewhere_it_does_not_wait() -> None:
    assert is_admitted({})


@pytest.mark.parametrize("program", WAITING)
def test_our_servers_end_when_the_session_is_refused(program: str, tmp_path: Path) -> None:
    """One that does not wait would serve, and start the application."""
    started = tmp_path / "started"
    application = {"name": "one", "title": "One", "command": ["touch", str(started)]}
    read_fd, write_fd = os.pipe()
    os.close(write_fd)
    try:
        ended = subprocess.run(
            [f"{sys.prefix}/bin/{program}"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "XDG_RUNTIME_DIR": str(tmp_path),
                "DAAS_SESSION": json.dumps({"title": "One", "application": "one", "applications": [application]}),
                ADMITTED_FD: str(read_fd),
            },
            pass_fds=[read_fd],
            capture_output=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(read_fd)
    assert ended.returncode == 1
    assert b"Traceback" not in ended.stderr
    assert not started.exists()
