"""When a session was last used, as the hub believes it: an open, idle screen is no use; a key is."""

from __future__ import annotations

import time
from typing import Any

import pytest
from websockets.sync.client import connect

from daas_hub.session.lifetime import FIRST_REPORT_AFTER_S
from tests.live_portal import Person, new_state, remove, start_portal

pytestmark = pytest.mark.sandbox

INCREMENTAL_UPDATE = b"\x03\x01\x00\x00\x00\x00\x05\x00\x03\x20"
KEY_A = b"\x04\x01\x00\x00\x00\x00\x00\x61"


def last_activity(person: Person, name: str) -> str:
    servers: dict[str, Any] = person.get(f"/hub/api/users/{person.name}").json()["servers"]
    return str(servers[name]["last_activity"])


def at_rest(person: Person, name: str) -> str:
    """Return the time of the last use, once no report changes it for five seconds: on a busy machine they are late."""
    before = last_activity(person, name)
    while True:
        time.sleep(5)
        if (after := last_activity(person, name)) == before:
            return before
        before = after


def test_only_a_person_counts_as_activity(sandbox_works: None) -> None:
    """An open tab keeps asking for updates; the hub's time of last use stays, until a key is pressed."""
    portal = start_portal(state=new_state(), more_config="c.JupyterHub.last_activity_interval = 1")
    try:
        person = portal.login("anna")
        name = person.launch("terminal")
        path = f"/user/{person.name}/{name}/"
        person.get(path)
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.session.cookies)
        address = f"{portal.url.replace('http', 'ws')}{path}rfb"
        with connect(address, origin=portal.url, open_timeout=60, additional_headers={"Cookie": cookies}) as screen:  # type: ignore[arg-type]
            assert screen.recv() == b"RFB 003.008\n"
            # the session's server has shaken hands with the X server
            screen.recv()
            for answer in (b"RFB 003.008\n", b"\x01", b"\x01"):
                screen.send(answer)
            time.sleep(FIRST_REPORT_AFTER_S + 2)
            before = at_rest(person, name)
            for _ in range(25):
                screen.send(INCREMENTAL_UPDATE)
                time.sleep(0.2)
            assert last_activity(person, name) == before
            screen.send(KEY_A)
            until = time.monotonic() + 120
            while last_activity(person, name) == before:
                assert time.monotonic() < until, "the key was not reported within a minute"
                time.sleep(1)
        person.stop(name)
    finally:
        portal.stop()
        remove(portal)


def test_screen_is_closed_to_strangers(sandbox_works: None) -> None:
    """E7, H5': no cookie, or a page of another origin: refused before a byte of the screen is sent."""
    portal = start_portal(state=new_state())
    try:
        person = portal.login("anna")
        name = person.launch("terminal")
        path = f"/user/{person.name}/{name}/"
        person.get(path)
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.session.cookies)
        address = f"{portal.url.replace('http', 'ws')}{path}rfb"
        attempts = {
            "nobody": {"origin": portal.url},
            "no origin": {"additional_headers": {"Cookie": cookies}},
            "another origin": {"origin": "https://evil.example", "additional_headers": {"Cookie": cookies}},
            "forged cookie": {"origin": portal.url, "additional_headers": {"Cookie": "daas-session=guess"}},
        }
        for what, how in attempts.items():
            with pytest.raises(Exception, match="HTTP 403"), connect(address, **how):  # type: ignore[arg-type]
                pytest.fail(what)
        # signing out in the hub closes the open screen within the time it is asked again
        with connect(address, origin=portal.url, open_timeout=60, additional_headers={"Cookie": cookies}) as screen:  # type: ignore[arg-type]
            assert screen.recv() == b"RFB 003.008\n"
            screen.recv()
            person.get("/hub/logout")
            with pytest.raises(Exception, match=r"4403|signed out"):
                screen.recv(timeout=45)
    finally:
        portal.stop()
        remove(portal)
