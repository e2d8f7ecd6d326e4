"""A session of our portal that stands open: how to reach its screen on both ways, and whose its processes are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .browser import chromium
from .portal import Portal
from .processes import Process, descendants, find_xvnc, listener, session_of
from .streams import ByteStream, open_unix, open_websocket

WINDOW_MANAGER = "openbox"


@dataclass(frozen=True)
class OpenedSession:
    """One running desktop session."""

    portal: Portal
    address: str
    cookies: str
    xvnc: Process

    def through_the_portal(self) -> ByteStream:
        """The screen as a browser gets it: the proxy, then the session's server, with the user's cookies."""
        path = urlsplit(self.address).path + "rfb"
        return open_websocket("127.0.0.1", self.portal.port, path, {"Cookie": self.cookies})

    def direct(self) -> ByteStream:
        """The same screen at the X server's own socket, past everything of ours."""
        socket = self.argument("-rfbunixpath")
        return open_unix(Path(f"/proc/{self.xvnc.pid}/root") / socket.lstrip("/"))

    def argument(self, name: str, default: str = "") -> str:
        """What the X server was told with ``name``."""
        words = self.xvnc.command
        return words[words.index(name) + 1] if name in words else default

    def own_processes(self) -> list[Process]:
        """The session's processes without the X server and what the session's server started on it."""
        server = self.xvnc.parent
        on_screen = {process.pid for process in descendants(server)}
        return [process for process in self.processes() if process.pid not in on_screen]

    def processes(self) -> list[Process]:
        """Every process of the session."""
        return session_of(self.xvnc, self.portal.pid)

    def hops(self) -> dict[str, list[int]]:
        """The processes on the way of a pixel, and those beside it whose time is worth knowing."""
        proxy = listener(self.portal.port)
        return {
            "proxy": [proxy] if proxy else [],
            "session server": [process.pid for process in self.own_processes()],
            "hub": [self.portal.pid],
            "Xvnc": [self.xvnc.pid],
            "client": [os.getpid()],
        }


@contextmanager
def open_session(state: Path, application: str, proposal: str | None, catalogue: str = "") -> Iterator[OpenedSession]:
    """Run a portal, launch ``application`` in a browser and close the browser again; ``catalogue`` is YAML to add."""
    portal = Portal(state, application, proposal=proposal)
    if catalogue:
        portal.add_to_catalogue(catalogue)
    with portal:
        address, cookies = _launch(portal)
        xvnc = find_xvnc(portal.pid)
        if xvnc is None:
            raise RuntimeError("the session has no X server")
        yield OpenedSession(portal, address, cookies, xvnc)


def _launch(portal: Portal) -> tuple[str, str]:
    """Launch as a user does; return the session's address and the cookies its websocket wants."""
    with chromium() as browser:
        page = browser.new_page()
        portal.log_in(page)
        portal.launch_button(page).click()
        page.wait_for_url("**/user/**", timeout=120_000)
        page.wait_for_selector("html[data-frame='1']", timeout=60_000)
        cookies = page.context.cookies(page.url + "rfb")
        return page.url, "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies)
