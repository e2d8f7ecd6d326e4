"""A session that stands open: how to reach its screen on both ways, and whose its processes are."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser

from .browser import LAUNCH_TIMEOUT_S, Site, chromium
from .processes import Process, descendants, find_xvnc, listener, session_of
from .streams import ByteStream, open_unix, open_websocket

WINDOW_MANAGER = "openbox"


@dataclass(frozen=True)
class OpenedSession:
    """One running desktop session."""

    site: Site
    address: str
    cookies: str
    xvnc: Process

    def through_the_hub(self) -> ByteStream:
        """The screen as a browser gets it: the proxy, then the session's server, with the user's cookies."""
        path = self.site.screen_path(self.address)
        return open_websocket("127.0.0.1", self.site.port, path, {"Cookie": self.cookies})

    def past_the_hub(self) -> ByteStream:
        """The same screen at the X server's own socket, past every hop."""
        socket = self.argument("-rfbunixpath")
        return open_unix(Path(f"/proc/{self.xvnc.pid}/root") / socket.lstrip("/"))

    def argument(self, name: str, default: str = "") -> str:
        """The value of the X server's option ``name``."""
        words = self.xvnc.command
        return words[words.index(name) + 1] if name in words else default

    def own_processes(self) -> list[Process]:
        """The session's processes without the X server and what the session's server started on it."""
        server = self.xvnc.parent
        on_screen = {process.pid for process in descendants(server)}
        return [process for process in self.processes() if process.pid not in on_screen]

    def processes(self) -> list[Process]:
        """Every process of the session."""
        return session_of(self.xvnc, self.site.below)

    def hops(self) -> dict[str, list[int]]:
        """The processes on the way of a pixel, and others whose time is worth knowing."""
        proxy = listener(self.site.port)
        return {
            "proxy": [proxy] if proxy else [],
            "session server": [process.pid for process in self.own_processes()],
            "hub": [self.site.pid],
            "Xvnc": [self.xvnc.pid],
            "client": [os.getpid()],
        }


@contextmanager
def open_session(site: Site) -> Iterator[OpenedSession]:
    """Run ``site``, launch on it in a browser and close the browser again; the session stays until the end."""
    with site:
        earlier = find_xvnc(site.below)
        with chromium() as browser:
            address, cookies = launch_and_leave(browser, site)
        xvnc = find_xvnc(site.below)
        if xvnc is None or xvnc == earlier:
            raise RuntimeError(f"the session of {site.name} has no X server")
        yield OpenedSession(site, address, cookies, xvnc)


def launch_and_leave(browser: Browser, site: Site) -> tuple[str, str]:
    """Launch as a user does and leave; return the session's address and the cookies its websocket wants."""
    with browser.new_context() as context:
        earlier = find_xvnc(site.below)
        page = context.new_page()
        site.log_in(page)
        site.launch_button(page).click()
        page.wait_for_url("**/user/**", timeout=LAUNCH_TIMEOUT_S * 1000)
        deadline = time.monotonic() + LAUNCH_TIMEOUT_S
        while find_xvnc(site.below) == earlier and time.monotonic() < deadline:
            page.wait_for_timeout(100)
        page.wait_for_timeout(2000)
        cookies = context.cookies(site.url + site.screen_path(page.url))
        return page.url, "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies)
