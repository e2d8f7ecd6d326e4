"""Ends of real sessions: who is idle, who is not, one extension and no more, and a hub that is away.

Every scene begins at once, in one portal, with limits of seconds instead of hours.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.live_portal import Person, Portal, new_state, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

IDLE_S = 20
#: The time limit of the size "brief", and what one extension adds.
BRIEF_S, EXTENSION_S = 20, 12
CONFIG = f"""
c.Lifetimes.idle_minutes = {IDLE_S} / 60
c.Lifetimes.idle_minutes_by_size = {{"brief": 0}}
c.Lifetimes.warning_minutes = 10 / 60
c.Lifetimes.extension_hours = {EXTENSION_S} / 3600
"""
SIZES = f"""\
sizes:
  usual: {{title: Usual, memory: 1 GiB, cpus: 1, processes: 500, hours: 1}}
  brief: {{title: Brief, memory: 1 GiB, cpus: 1, processes: 500, hours: {BRIEF_S / 3600}}}
"""
APPLICATION = "name: {}\ntitle: {}\nkind: {}\n{}sizes: [{}]\n"
APPLICATIONS = {
    "quiet": APPLICATION.format("quiet", "Quiet", "desktop", 'command: [sleep, "300"]\n', "usual"),
    # nobody looks at it, and it computes
    "busy": APPLICATION.format("busy", "Busy", "desktop", "command: [sh, -c, 'while :; do :; done']\n", "usual"),
    # with a program that outlives the one that started it
    "brief": APPLICATION.format(
        "brief", "Brief", "desktop", "command: [sh, -c, 'setsid -f sleep 300; exec sleep 300']\n", "brief"
    ),
    "lab": APPLICATION.format("lab", "Lab", "notebook", "", "usual"),
    "sizes": SIZES,
}
KEY_A = b"\x04\x01\x00\x00\x00\x00\x00\x61"
ASK_FOR_UPDATE = b"\x03\x01\x00\x00\x00\x00\x05\x00\x03\x20"


@dataclass
class Scenes:
    """The sessions of one portal, by what happens in them."""

    portal: Portal
    anna: Person
    names: dict[str, str]
    #: While it is set, somebody presses keys.
    pressing: threading.Event

    def card(self, scene: str) -> str:
        """Return a session's card, as the page has it."""
        page = self.anna.get("/hub/home").text
        return page.partition(f'id="session-{self.names[scene]}"')[2].partition("</article>")[0]

    def state(self, scene: str) -> str:
        """Return the state of a session's card."""
        return self._of_card(scene, 'data-state="', '"')

    def notice(self, scene: str) -> str:
        """Return what a session's card says."""
        return self._of_card(scene, 'class="session-notice">', "<")

    def _of_card(self, scene: str, before: str, after: str) -> str:
        return self.card(scene).partition(before)[2].partition(after)[0]

    def wait(self, what: Callable[[], bool], timeout_s: float) -> None:
        """Wait until something is so."""
        until = time.monotonic() + timeout_s
        while not what():
            assert time.monotonic() < until, self.portal.log.read_text(errors="replace")[-4000:]
            time.sleep(0.3)


@pytest.fixture(scope="module")
def scenes(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    applications = tmp_path_factory.mktemp("applications")
    for name, text in APPLICATIONS.items():
        (applications / f"{name}.yaml").write_text(text)
    portal = start_portal(applications, state=new_state(), more_config=CONFIG)
    try:
        anna = portal.login("anna")
        pressing = threading.Event()
        pressing.set()
        found = Scenes(portal, anna, {}, pressing)
        # on a busy machine, one at a time: what is not used in time ends
        found.names["lab"] = anna.launch("lab")
        _sleep_in_a_kernel(anna, found.names["lab"])
        # an open page is no use, a key is
        for scene, application, message in (("keys", "quiet", KEY_A), ("desk", "quiet", ASK_FOR_UPDATE)):
            found.names[scene] = anna.launch(application)
            threading.Thread(target=_show, args=(found, found.names[scene], message), daemon=True).start()
        found.names |= {scene: anna.launch(scene) for scene in ("quiet", "busy", "brief")}
        yield found
        pressing.clear()
    finally:
        portal.stop()
        _end_leftovers(portal)
        remove(portal)


def _headers(person: Person) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{one.name}={one.value}" for one in person.session.cookies)}


def _show(scenes: Scenes, name: str, message: bytes) -> None:
    """Show a desktop as a browser does, which connects again, and send it a message every second."""
    portal, path = scenes.portal, f"/user/{scenes.anna.name}/{name}/"
    address = f"{portal.url.replace('http', 'ws')}{path}rfb"
    while scenes.pressing.is_set():
        with contextlib.suppress(OSError, WebSocketException, requests.RequestException):
            scenes.anna.get(path)
            with connect(address, origin=portal.url, additional_headers=_headers(scenes.anna)) as screen:  # type: ignore[arg-type]
                screen.recv()
                for answer in (b"RFB 003.008\n", b"\x01", b"\x01"):
                    screen.send(answer)
                while scenes.pressing.is_set():
                    screen.send(message)
                    time.sleep(1)
        time.sleep(1)


def _sleep_in_a_kernel(person: Person, name: str) -> None:
    """Let a kernel wait for something, which uses no processor; nobody has its page open."""
    base = f"/user/{person.name}/{name}/"
    assert person.get(f"{base}lab").status_code == 200
    token = next(one.value or "" for one in person.session.cookies if one.name == "_xsrf" and one.path == base)
    kernel = person.session.post(f"{person.portal.url}{base}api/kernels", headers={"X-XSRFToken": token}).json()["id"]
    address = f"{person.portal.url.replace('http', 'ws')}{base}api/kernels/{kernel}/channels"
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": "1"}
    code = {"code": "import time; time.sleep(300)", "silent": False, "allow_stdin": False}
    message = {"header": header | {"version": "5.3"}, "parent_header": {}, "metadata": {}, "content": code}
    with connect(address, origin=person.portal.url, additional_headers=_headers(person)) as channel:  # type: ignore[arg-type]
        channel.send(json.dumps(message | {"channel": "shell"}))
        while '"busy"' not in str(channel.recv(timeout=30)):
            pass


def _end_leftovers(portal: Portal) -> None:
    """End what a killed hub leaves: its proxy and the demo's identity provider."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if f"daas_hub.demo.identity_provider {portal.port + 1}" in line or f"--api-port {portal.port + 3}" in line:
                os.kill(int(entry.name), signal.SIGKILL)


def test_one_extension_and_no_more(scenes: Scenes) -> None:
    """By its owner, with one click; nobody else, by no way."""
    name, path = scenes.names["brief"], f"/hub/sessions/{scenes.names['brief']}/extend"
    ben = scenes.portal.login("ben")
    assert ben.post(path, allow_redirects=False).status_code == 404
    forged = {"servers": {name: {"last_activity": "2026-01-01T00:00:00Z", "extend": True}}}
    assert ben.api("POST", f"users/{scenes.anna.name}/activity", forged).status_code == 404
    # the form without its token
    assert scenes.anna.session.post(scenes.portal.url + path, allow_redirects=False).status_code == 403
    scenes.wait(lambda: "at its time limit" in scenes.notice("brief"), BRIEF_S + 5)
    assert f"Extend by {EXTENSION_S} seconds" in scenes.card("brief")
    assert scenes.anna.post(path, allow_redirects=False).status_code == 303
    assert scenes.notice("brief") == ""
    again = scenes.anna.post(path, allow_redirects=False)
    assert again.status_code == 409
    assert "cannot be extended any further" in plain_text(again)
    assert "Extend by" not in scenes.card("brief")


def test_an_idle_desktop_ends_and_says_why(scenes: Scenes) -> None:
    """Also one whose page is open: its browser asks for the screen all the time."""
    for scene in ("quiet", "desk"):
        scenes.wait(lambda scene=scene: scenes.state(scene) == "ended", IDLE_S + 25)  # type: ignore[misc]
        assert scenes.notice(scene) == f"It was idle for {IDLE_S} seconds."
    assert f"It was idle for {IDLE_S} seconds." in scenes.portal.log.read_text()


def test_what_is_used_continues(scenes: Scenes) -> None:
    """Keys, a kernel that waits, and a program that computes, with its page open or closed."""
    assert {scene: scenes.state(scene) for scene in ("keys", "lab", "busy")} == {
        "keys": "running",
        "lab": "running",
        "busy": "running",
    }
    assert scenes.state("brief") == "running"


@pytest.mark.ends
def test_ends_hold_while_the_hub_is_away(scenes: Scenes) -> None:
    """Nobody presses keys any more, and the extension is over: both end themselves, and a new hub says why."""
    sandboxes = {scene: _processes(scenes, scene) for scene in ("keys", "brief", "busy")}
    assert len(sandboxes["brief"]) > 4  # the server, its screen and its programs
    scenes.portal.process.kill()
    scenes.portal.process.wait()
    scenes.pressing.clear()
    until = time.monotonic() + IDLE_S + EXTENSION_S + 15
    while any(Path(f"/proc/{pid}").exists() for scene in ("keys", "brief") for pid in sandboxes[scene]):
        assert time.monotonic() < until, "a session outlived its end"
        time.sleep(0.3)
    again = start_portal(state=scenes.portal.state, port=scenes.portal.port, more_config=CONFIG)
    scenes.portal.process = again.process
    scenes.wait(lambda: scenes.state("keys") == scenes.state("brief") == "ended", 20)
    assert scenes.notice("keys") == f"It was idle for {IDLE_S} seconds."
    assert scenes.notice("brief") == "It reached its time limit."
    scenes.wait(lambda: scenes.state("busy") == "running", 20)
    assert "Traceback" not in scenes.portal.log.read_text()


def _processes(scenes: Scenes, scene: str) -> set[int]:
    """Return all processes of a session's sandbox, by its server's namespace of processes."""
    name = f"JUPYTERHUB_SERVER_NAME={scenes.names[scene]}".encode()
    spaces: dict[int, str] = {}
    servers = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if not entry.name.isdigit():
                continue
            spaces[int(entry.name)] = os.readlink(entry / "ns" / "pid")
            if name in (entry / "environ").read_bytes().split(b"\0"):
                servers.add(int(entry.name))
    inside = {spaces[pid] for pid in servers} - {os.readlink("/proc/self/ns/pid")}
    return {pid for pid, space in spaces.items() if space in inside}
