"""The hub dies and comes back: sessions go on, are found again, and can be stopped (K1, R1, EL26)."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_portal import Portal, new_state, remove, start_portal

pytestmark = pytest.mark.sandbox


@pytest.fixture
def mortal(sandbox_works: None) -> Iterator[Portal]:
    """A portal that a test may kill."""
    portal = start_portal(state=new_state())
    yield portal
    portal.stop()
    # what a killed hub leaves: its proxy and the demo's identity provider
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if f"daas_hub.demo.identity_provider {portal.port + 1}" in line or f"--api-port {portal.port + 3}" in line:
                os.kill(int(entry.name), signal.SIGKILL)
    remove(portal)


def test_killed_hub_loses_no_session(mortal: Portal) -> None:
    person = mortal.login("anna")
    name = person.launch("terminal", proposal="MA-4242", visit="2")
    page = f"/user/{person.name}/{name}/"
    assert person.get(page).status_code == 200
    mortal.process.kill()
    mortal.process.wait()
    # the proxy is still there, and so is the session, for whoever is in
    assert person.get(f"{page}status").json()["state"] == "running"

    again = start_portal(state=mortal.state, port=mortal.port)
    mortal.process = again.process
    assert person.get(f"{page}status").json()["state"] == "running"
    # somebody who comes now signs in through the hub's new socket
    newcomer = mortal.login("anna")
    assert newcomer.get(page).status_code == 200
    assert name in newcomer.get("/hub/home").text
    assert newcomer.stop(name).status_code == 303
    servers = newcomer.get(f"/hub/api/users/{newcomer.name}").json()["servers"]
    assert name not in servers
    assert newcomer.get(f"{page}status", headers={"Sec-Fetch-Mode": "cors"}).status_code in (404, 424, 503)


def test_output_of_a_session_of_an_earlier_hub_is_logged(mortal: Portal) -> None:
    """It is kept outside of the hub, and by the hub that sees the end of the session it is logged."""
    person = mortal.login("anna")
    name = person.launch("jupyterlab")
    mortal.process.kill()
    mortal.process.wait()
    again = start_portal(state=mortal.state, port=mortal.port)
    mortal.process = again.process
    assert person.stop(name).status_code == 303
    assert mortal.wait_for_log("ended; last output: ")
