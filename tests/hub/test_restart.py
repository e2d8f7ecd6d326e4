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

from tests.live_portal import Person, Portal, new_state, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

#: Each fails when the launch form no longer waits for it.
REFUSED_LATE = """
import asyncio
from daas_hub.errors import SessionFailed
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

async def refuse(self, plan):
    await asyncio.sleep(3)
    raise SessionFailed("The licence server is away.", remedy="Please launch again tomorrow.")

SandboxSpawner.start_session = refuse
"""
TOO_SLOW = """
import asyncio
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

async def build_nothing(self, plan):
    await asyncio.sleep(60)

SandboxSpawner.start_session = build_nothing
c.SandboxSpawner.start_timeout = 3
"""
#: The session runs, and nothing responds at its address.
SILENT = """
from daas_hub.spawners.sandbox.spawner import SandboxSpawner
build = SandboxSpawner.start_session

async def build_elsewhere(self, plan):
    await build(self, plan)
    return "http://127.0.0.1:9"

SandboxSpawner.start_session = build_elsewhere
c.SandboxSpawner.http_timeout = 3
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
    # the page of a launch comes before the hub's answer
    assert person.get(f"{page}status").json()["state"] == "running"
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


def test_a_session_that_does_not_answer_while_the_hub_starts_is_kept(mortal: Portal) -> None:
    """JupyterHub itself stops it after `http_timeout`; it is its backend that knows whether it ended."""
    person = mortal.login("anna")
    name = person.launch("terminal")
    mortal.process.kill()
    mortal.process.wait()
    (socket,) = (mortal.state / "run" / "sessions").glob("*/http.sock")
    socket.rename(mortal.state / "http.sock")
    more = "c.Spawner.http_timeout = 2\n"
    mortal.process = start_portal(state=mortal.state, port=mortal.port, more_config=more).process
    assert mortal.wait_for_log("does not answer, and is kept")
    newcomer = mortal.login("anna")
    servers = newcomer.get(f"/hub/api/users/{newcomer.name}").json()["servers"]
    assert servers[name]["ready"]
    (mortal.state / "http.sock").rename(socket)
    assert newcomer.get(f"/user/{newcomer.name}/{name}/status").json()["state"] == "running"
    assert newcomer.stop(name).status_code == 303


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


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param(REFUSED_LATE, "The licence server is away. Please launch again tomorrow.", id="refused"),
        pytest.param(TOO_SLOW, "It did not start in time.", id="never started"),
        pytest.param(SILENT, "It did not start in time.", id="does not respond"),
    ],
)
def test_failed_start_says_why_after_a_restart_too(sandbox_works: None, config: str, words: str) -> None:
    """Not "Ended", and with the proposal that it was for."""
    portal = start_portal(state=new_state(), more_config=config)
    try:
        anna = portal.login("anna")
        name = anna.launch("terminal", proposal="LS-1007", visit="1", wait=False)
        before = wait_for_failure(anna, name, words)
        assert "LS-1007" in before
        portal.process.kill()
        portal.process.wait()
        portal.process = start_portal(state=portal.state, port=portal.port).process
        assert wait_for_failure(portal.login("anna"), name, words) == before
    finally:
        portal.stop()
        remove(portal)


def wait_for_failure(person: Person, name: str, words: str) -> str:
    """Return the text of a session's card, once its page says these words."""
    until = time.monotonic() + 30
    while True:
        card = re.search(
            rf'<article class="session" id="session-{name}".*?</article>', person.get("/hub/home").text, re.S
        )
        page = plain_text(person.get(f"/hub/sessions/{name}"))
        if card and words in page and "Did not start" in card[0]:
            return " ".join(re.sub(r"<[^>]*>", " ", card[0]).split())
        assert time.monotonic() < until, page
        time.sleep(0.2)
