"""The session's server over real HTTP: whose pages may call it, and the headers of every response.

Who may log in is tested in test_login; the whole walk in tests/browser.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.websocket import WebSocketClientConnection, websocket_connect

from daas_hub.session.activity import Activity
from daas_hub.session.desktop.desktop import Desktop
from daas_hub.session.desktop.xserver import XServer
from daas_hub.session.handler import COOKIE
from daas_hub.session.hubclient import HubClient
from daas_hub.session.login import Logins, SessionUser
from daas_hub.session.server import make_application
from daas_hub.session.settings import DesktopApplication, Settings, read_settings

PREFIX = "/user/u1/x-1/"
TRUE = DesktopApplication("x", "X", ("true",))


@dataclass
class Session:
    """A server, with anna logged in."""

    port: int
    desktop: Desktop
    settings: Settings

    @property
    def origin(self) -> str:
        """The origin of its own pages."""
        return f"http://127.0.0.1:{self.port}"

    def headers(self, cookie: str, more: dict[str, str] | None = None) -> dict[str, str]:
        """Return the headers of a browser with this cookie."""
        return {"Cookie": f"{COOKIE}={cookie}", **(more or {})}

    async def open_screen(self, origin: str | None, host: str = "") -> WebSocketClientConnection:
        """Open the screen's WebSocket from a page of this origin; `host` is the header, if it is another."""
        more = {} if origin is None else {"Origin": origin}
        headers = self.headers("anna", more | ({"Host": host} if host else {}))
        return await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{self.port}{PREFIX}rfb", headers=headers))

    async def use_screen(self, origin: str, host: str = "") -> None:
        """Open the screen, read its greeting, and close it; nothing stays open."""
        open_before = len(os.listdir("/proc/self/fd"))
        screen = await self.open_screen(origin, host)
        assert await asyncio.wait_for(screen.read_message(), 30) == b"RFB 003.008\n"
        screen.close()
        async with asyncio.timeout(30):
            while len(os.listdir("/proc/self/fd")) > open_before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def get(self, path: str, *, cookie: str = "anna") -> HTTPResponse:
        """Return the response to a browser with this cookie."""
        request = HTTPRequest(f"{self.origin}{PREFIX}{path}", headers=self.headers(cookie), follow_redirects=False)
        return await AsyncHTTPClient().fetch(request, raise_error=False)

    async def start_application(self, headers: dict[str, str]) -> int:
        """Press "Start it again" in a page that sends these headers; return the status."""
        address = f"{self.origin}{PREFIX}application"
        request = HTTPRequest(address, method="POST", body=b"", headers=self.headers("anna", headers))
        return (await AsyncHTTPClient().fetch(request, raise_error=False)).code


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    """A session whose screen is a server that greets and is silent then."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for greeting, answer in ((b"RFB 003.008\n", 12), (b"\x01\x01", 1), (b"\0\0\0\0", 1), (bytes(24), 0)):
            writer.write(greeting)
            await reader.readexactly(answer)
        await reader.read()
        writer.close()

    screen = await asyncio.start_unix_server(greet, tmp_path / "screen")
    document = {"title": "X", "application": "x", "applications": []}
    settings = read_settings(
        {
            "DAAS_SESSION": json.dumps(document),
            "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
            "JUPYTERHUB_USER": "u1",
            "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
        }
    )
    logins = Logins(settings, HubClient(settings.api_url))
    logins._users["anna"] = SessionUser("u1", "token", time.monotonic())
    process = subprocess.Popen(["sleep", "300"])  # noqa: ASYNC220  # it returns at once
    desktop = Desktop(TRUE, [], XServer(process, tmp_path / "screen", tmp_path / "cookie", -1))
    desktop._started.set()
    server = HTTPServer(make_application(settings, logins, desktop, Activity()))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    yield Session(sockets[0].getsockname()[1], desktop, settings)
    server.stop()
    await server.close_all_connections()
    screen.close()
    if desktop._program is not None:
        await desktop._program.wait()
    process.kill()
    process.wait()


#: Origins of requests that a browser sends on behalf of another page; {port} is the session's own.
FOREIGN = {
    "another site": "https://evil.example",
    "another port of this host": "http://127.0.0.1:1",
    "its name at the end of another": "http://evil.example:{port}",
    "its name at the beginning of another": "http://127.0.0.1:{port}.evil.example",
    "a sandboxed frame": "null",
    "no origin": None,
    "an empty one": "",
}


@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN.keys())
async def test_another_sites_page_opens_no_screen(session: Session, origin: str | None) -> None:
    """E9: a browser sends the cookie with every WebSocket, whichever page opens it."""
    with pytest.raises(HTTPClientError) as refusal:
        await session.open_screen(origin and origin.replace("{port}", str(session.port)))
    assert refusal.value.code == 403


@pytest.mark.parametrize("host", ["daas.example.org", "daas.example.org:443", "DAAS.example.org:443"])
async def test_the_own_port_of_https_is_the_same_place(session: Session, host: str) -> None:
    await session.use_screen("https://daas.example.org", host)


async def test_a_portal_with_https_accepts_no_page_without(session: Session) -> None:
    """Whoever can answer for http on this name has no part in the session."""
    session.settings.__dict__["public_https"] = True
    with pytest.raises(HTTPClientError) as refusal:
        await session.open_screen("http://daas.example.org", "daas.example.org")
    assert refusal.value.code == 403
    await session.use_screen("https://daas.example.org", "daas.example.org")


async def test_its_own_page_opens_the_screen(session: Session) -> None:
    await session.use_screen(session.origin)


@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN.keys())
async def test_another_sites_page_starts_no_application(session: Session, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin.replace("{port}", str(session.port))}
    assert await session.start_application(headers | {"X-Daas-Request": "1"}) == 403
    assert session.desktop.state == "starting", "nothing was started"


async def test_its_own_page_starts_the_application(session: Session) -> None:
    assert await session.start_application({"Origin": session.origin, "X-Daas-Request": "1"}) == 204
    assert session.desktop.state != "starting"


async def test_a_form_starts_no_application(session: Session) -> None:
    """A form of any page cannot set a header of its own."""
    assert await session.start_application({"Origin": session.origin}) == 403


RESPONSES = {
    "the page": ("", "anna", 200),
    "the state": ("status", "anna", 200),
    "a script": ("static/desktop.css", "anna", 200),
    "the hub's check": ("api", "nobody", 200),
    "a redirect to the login": ("", "nobody", 302),
    "a callback that nobody began": ("oauth_callback?state=x&code=y", "nobody", 403),
    "a page that does not exist": ("none", "anna", 404),
    "an asset that does not exist": ("static/none.js", "anna", 404),
}


@pytest.mark.parametrize(("path", "cookie", "code"), RESPONSES.values(), ids=RESPONSES.keys())
async def test_no_other_site_can_frame_a_response(session: Session, path: str, cookie: str, code: int) -> None:
    """E5: the screen in a frame of another page would take clicks that were meant for that page."""
    response = await session.get(path, cookie=cookie)
    assert response.code == code
    policy = dict(one.strip().partition(" ")[::2] for one in response.headers["Content-Security-Policy"].split(";"))
    assert policy["frame-ancestors"] == "'self'"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
