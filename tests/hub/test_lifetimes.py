"""Ends of real sessions: who is idle, who is not, one extension and no more, and a hub that is away.

Every scene begins at once, in one portal, with limits of seconds instead of hours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.idle_scenes import ASK_FOR_UPDATE, KEY_A, Scenes, running_scenes, sleep_in_a_kernel
from tests.live_portal import Portal, new_state, plain_text, remove, start_portal

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


@pytest.fixture(scope="module")
def scenes(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    applications = tmp_path_factory.mktemp("applications")
    for name, text in APPLICATIONS.items():
        (applications / f"{name}.yaml").write_text(text)
    portal = start_portal(applications, state=new_state(), more_config=CONFIG)
    try:
        with running_scenes(portal) as found:
            # on a busy machine, one at a time: what is not used in time ends
            found.names["lab"] = found.anna.launch("lab")
            sleep_in_a_kernel(found.anna, found.names["lab"])
            # an open page is no use, a key is
            found.open_desktop("keys", "quiet", KEY_A)
            found.open_desktop("desk", "quiet", ASK_FOR_UPDATE)
            found.names |= {scene: found.anna.launch(scene) for scene in ("quiet", "busy", "brief")}
            yield found
    finally:
        portal.stop()
        _end_leftovers(portal)
        remove(portal)


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
