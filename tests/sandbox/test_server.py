"""The server of a session in a sandbox cannot be replaced by the session's own programs."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROBE
from tests.live_portal import Portal, new_state, remove, start_portal
from tests.sandbox.server_scenes import (
    home,
    test_no_kernel_of_a_notebook_session_takes_its_servers_place,
    test_no_program_of_a_desktop_session_takes_its_servers_place,
)
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

__all__ = [
    "home",
    "test_no_kernel_of_a_notebook_session_takes_its_servers_place",
    "test_no_program_of_a_desktop_session_takes_its_servers_place",
]


@pytest.fixture
def own_portal(sandbox_works: None, tmp_path: Path) -> Iterator[Portal]:
    """A portal that a test may kill."""
    (tmp_path / "probe.yaml").write_text(PROBE)
    running = start_portal(tmp_path, state=new_state())
    try:
        yield running
    finally:
        running.stop()
        remove(running)


def sandbox_of(portal: Portal) -> dict[str, list[str]]:
    """Return the processes of this portal's sandboxes: bubblewrap's own, and what its first process has started."""
    marker = f"{portal.state}/run/sessions/".encode()
    found: dict[str, list[str]] = {"bubblewrap": [], "server": []}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes()
            if words.startswith(b"bwrap\0") and marker in words:
                found["bubblewrap"].append(path.parent.name)
    for pid in found["bubblewrap"]:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found["server"] += [one for one in children if one not in found["bubblewrap"]][:1]
    return found


def test_a_server_that_ended_while_the_hub_was_away_ends_its_sandbox(own_portal: Portal, tmp_path: Path) -> None:
    """Its programs would keep the sandbox alive: the hub, started again, looks for the server and not for them."""
    own_portal.login("anna").launch("probe", proposal="MA-4242", visit="2")
    (server,) = sandbox_of(own_portal)["server"]
    own_portal.process.kill()
    own_portal.process.wait()
    os.kill(int(server), signal.SIGKILL)
    wait_for(lambda: len(sandbox_of(own_portal)["bubblewrap"]) == 1, "the end of bubblewrap outside")
    again = start_portal(tmp_path, state=own_portal.state, port=own_portal.port)
    own_portal.process = again.process
    wait_for(lambda: sandbox_of(own_portal)["bubblewrap"] == [], "the end of the sandbox", 30)
