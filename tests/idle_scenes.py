"""Sessions that are used, shown or left alone, with ends after seconds without use; on any backend."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import requests
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.live_portal import Person, Portal
from tests.waiting import wait_for

KEY_A = b"\x04\x01\x00\x00\x00\x00\x00\x61"
ASK_FOR_UPDATE = b"\x03\x01\x00\x00\x00\x00\x05\x00\x03\x20"
#: A pointer that moves: message type, no button, then x and y.
POINTER = (b"\x05\x00\x00\x10\x00\x10", b"\x05\x00\x00\x20\x00\x20")


@dataclass
class Scenes:
    """The sessions of one portal, by what happens in them."""

    portal: Portal
    anna: Person
    names: dict[str, str] = field(default_factory=dict)
    #: While it is set, desktops that are open are shown, and used.
    pressing: threading.Event = field(default_factory=threading.Event)

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
        wait_for(what, lambda: self.portal.log.read_text(errors="replace")[-4000:], timeout_s=timeout_s)

    def open_desktop(self, scene: str, application: str, *messages: bytes) -> None:
        """Launch a desktop, and show it in a tab that sends these messages in turn, one every second."""
        self.names[scene] = self.anna.launch(application)
        threading.Thread(target=_show, args=(self, self.names[scene], messages), daemon=True).start()


@contextlib.contextmanager
def running_scenes(portal: Portal) -> Iterator[Scenes]:
    """Use desktops until the end."""
    scenes = Scenes(portal, portal.login("anna"))
    scenes.pressing.set()
    try:
        yield scenes
    finally:
        scenes.pressing.clear()


def _headers(person: Person) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{one.name}={one.value}" for one in person.session.cookies)}


def _show(scenes: Scenes, name: str, messages: tuple[bytes, ...]) -> None:
    """Show a desktop as a browser does, which connects again."""
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
                    for message in messages:
                        screen.send(message)
                        time.sleep(1)
        time.sleep(1)


def sleep_in_a_kernel(person: Person, name: str) -> None:
    """Let a kernel wait for something, which uses no processor; nobody has its page open afterwards."""
    base = f"/user/{person.name}/{name}/"
    assert person.get(f"{base}lab").status_code == 200
    token = next(one.value or "" for one in person.session.cookies if one.name == "_xsrf" and one.path == base)
    kernel = person.session.post(f"{person.portal.url}{base}api/kernels", headers={"X-XSRFToken": token}).json()["id"]
    address = f"{person.portal.url.replace('http', 'ws')}{base}api/kernels/{kernel}/channels"
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": "1"}
    code = {"code": "import time; time.sleep(300)", "silent": False, "allow_stdin": False}
    message = {"header": header | {"version": "5.3"}, "parent_header": {}, "metadata": {}, "content": code}
    with connect(address, origin=person.portal.url, open_timeout=60, additional_headers=_headers(person)) as channel:  # type: ignore[arg-type]
        channel.send(json.dumps(message | {"channel": "shell"}))
        while '"busy"' not in str(channel.recv(timeout=30)):
            pass


def look_at_a_notebook(person: Person, name: str) -> None:
    """Open the page of a notebook server, and leave it: what asks by itself is no use."""
    base = f"/user/{person.name}/{name}/"
    assert person.get(f"{base}lab").status_code == 200
    assert person.get(f"{base}api/kernels").status_code == 200
