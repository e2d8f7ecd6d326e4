"""The hub dies and comes back: sessions go on, are found again, and can be stopped (K1, R1, EL26)."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ABSENT
from tests.live_portal import Person, Portal, new_state, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

SLOW_STARTS = """
import asyncio
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

async def build_nothing(self, plan):
    await asyncio.sleep(60)

SandboxSpawner.start_session = build_nothing
c.SandboxSpawner.start_timeout = 1
"""


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


def test_failed_start_says_why_after_a_restart_too(sandbox_works: None, tmp_path: Path) -> None:
    """Not "Ended", and with the proposal that it was for; also where the time ran out."""
    (tmp_path / "absent.yaml").write_text(ABSENT)
    (tmp_path / "terminal.yaml").write_text(ABSENT.replace("absent", "brief").replace("[no-such-program]", "[xterm]"))
    state = new_state()
    portal = start_portal(tmp_path, state=state)
    try:
        anna = portal.login("anna")
        first = {"application": "absent", "proposal": "MA-4242", "visit": "2", "session_name": "first"}
        anna.post("/hub/launch", first)
        failed = wait_for_failure(anna, "first", "Absent is not installed here (no-such-program).")
        assert "MA-4242" in failed
        restart(portal, tmp_path, SLOW_STARTS)
        anna = portal.login("anna")
        assert wait_for_failure(anna, "first", "no-such-program") == failed
        second = {"application": "brief", "proposal": "LS-1007", "visit": "1", "session_name": "second"}
        anna.post("/hub/launch", second)
        late = wait_for_failure(anna, "second", "It did not start in time.")
        assert "LS-1007" in late
        restart(portal, tmp_path)
        anna = portal.login("anna")
        assert wait_for_failure(anna, "first", "no-such-program") == failed
        assert wait_for_failure(anna, "second", "It did not start in time.") == late
    finally:
        portal.stop()
        remove(portal)


def restart(portal: Portal, applications: Path, more_config: str = "") -> None:
    """Kill the hub, and start it again with more configuration."""
    portal.process.kill()
    portal.process.wait()
    again = start_portal(applications, state=portal.state, port=portal.port, more_config=more_config)
    portal.process = again.process


def wait_for_failure(person: Person, name: str, words: str) -> str:
    """Return the text of a session's card, once its page says these words."""
    until = time.monotonic() + 15
    while True:
        card = re.search(
            rf'<article class="session" id="session-{name}".*?</article>', person.get("/hub/home").text, re.S
        )
        page = plain_text(person.get(f"/hub/sessions/{name}"))
        if card and words in page and "Did not start" in card[0]:
            return " ".join(re.sub(r"<[^>]*>", " ", card[0]).split())
        assert time.monotonic() < until, page
        time.sleep(0.2)
