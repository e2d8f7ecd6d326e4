"""The browser that launched a session enters it without a redirect to the hub: which browser, once, and how long."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from daas_hub.launch_login import COOKIE as LAUNCH_COOKIE
from daas_hub.launch_login import VALID_S, ExpectedLogin, LaunchLogin
from daas_hub.session import login
from daas_hub.session.activity import Activity
from daas_hub.session.assets import content_key
from daas_hub.session.handler import COOKIE
from daas_hub.session.hubclient import HubClient
from daas_hub.session.login import Logins
from daas_hub.session.server import make_application
from daas_hub.session.settings import Settings
from tests.session.login_hub import PREFIX, SCOPE, Clock, Hub, running_hub, settings_at
from tests.waiting import until

LOGIN = LaunchLogin.new()
#: What an X server sends at first (RFC 6143, 7.1 to 7.3), and something of an update.
OPENING = b"RFB 003.008\n\x01\x01\0\0\0\0\x05\x00\x03\x20" + bytes(16) + b"\0\0\0\x01X"
PICTURE = b"\0\0\0\x01"


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with running_hub() as hub:
        yield hub


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(hub: Hub) -> Settings:
    return settings_at(hub.url, DAAS_LAUNCH_LOGIN=LOGIN.for_session())


@pytest.fixture
def logins(settings: Settings, clock: Clock) -> Logins:
    return Logins(settings, HubClient(settings.api_url), clock=clock)


Get = Callable[..., Any]


@pytest.fixture
async def screen(tmp_path: Path) -> AsyncIterator[str]:
    """Path of the socket of an X server that sends an opening and a picture to whoever connects."""

    async def show(session: asyncio.StreamReader, screen: asyncio.StreamWriter) -> None:
        screen.write(OPENING + PICTURE)
        # a session that closes it has not read all
        with contextlib.suppress(ConnectionResetError):
            await session.read()
        screen.close()

    path = tmp_path / "screen"
    async with await asyncio.start_unix_server(show, path):
        yield str(path)


@pytest.fixture
async def address(settings: Settings, logins: Logins, screen: str) -> AsyncIterator[str]:
    """Return the address of a session's real server, without `http:`."""
    parts: Any = SimpleNamespace(application=SimpleNamespace(title="Desk"), state="running", viewers=0)
    parts.exit_code, parts.last_output, parts.screen_socket = None, "", screen
    parts.wait_started = AsyncMock()
    server = HTTPServer(make_application(settings, logins, parts, Activity(None)))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    yield f"//127.0.0.1:{sockets[0].getsockname()[1]}{PREFIX}"
    server.stop()
    await server.close_all_connections()


def lines_with(cookies: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, str]:
    return {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


@pytest.fixture
async def get(address: str) -> AsyncIterator[Get]:
    """Request a page of a session's real server with these cookies."""
    client = SimpleAsyncHTTPClient(force_instance=True)

    async def get(
        below: str = "", method: str = "GET", headers: Mapping[str, str] = {}, **cookies: str
    ) -> HTTPResponse:
        lines = lines_with(cookies, headers)
        request = HTTPRequest(
            f"http:{address}{below}", method, lines, allow_nonstandard_methods=True, follow_redirects=False
        )
        return await client.fetch(request, raise_error=False)

    yield get
    client.close()


@pytest.fixture
def open_page(address: str) -> Get:
    """Open the screen as a page of the portal does that has the session's scripts, or others."""

    async def open_page(page: str = content_key("desktop.js"), **cookies: str) -> WebSocketClientConnection:
        lines = lines_with(cookies, {"Origin": f"http:{address}".partition(PREFIX)[0]})
        return await websocket_connect(HTTPRequest(f"ws:{address}rfb?page={page}", headers=lines))

    return open_page


def brought(code: str = "code-anna", login: LaunchLogin = LOGIN) -> dict[str, str]:
    return {LAUNCH_COOKIE: login.for_browser(code)}


def given(answer: HTTPResponse) -> SimpleCookie:
    cookies = SimpleCookie()
    for line in answer.headers.get_list("Set-Cookie"):
        cookies.load(line)
    return cookies


def is_sent_to_hub(answer: HTTPResponse) -> bool:
    return answer.code == 302 and "oauth2/authorize" in answer.headers["Location"]


async def test_the_page_comes_at_once_and_everything_else_after_the_hub(get: Get, hub: Hub) -> None:
    hub.answering.clear()
    page = await get(**brought())
    assert (page.code, b'id="screen"' in page.body) == (200, True)
    cookies = given(page)
    assert cookies[LAUNCH_COOKIE].value == "", "it is used, and removed"
    assert (cookies[COOKIE]["path"], cookies[COOKIE]["httponly"], cookies[COOKIE]["samesite"]) == (PREFIX, True, "Lax")
    status = asyncio.ensure_future(get("status", **{COOKIE: cookies[COOKIE].value}))
    assert not (await asyncio.wait({status}, timeout=0.2))[0]
    hub.answering.set()
    assert (await status).code == 200
    (form,) = hub.forms
    assert (form["code"], form["code_verifier"]) == ("code-anna", LOGIN.verifier)
    assert form["client_secret"] == "session-secret"
    assert form["redirect_uri"] == f"{PREFIX}oauth_callback"


@pytest.mark.parametrize(
    ("user", "code"),
    [
        pytest.param({"name": "u2", "scopes": [SCOPE]}, "code-anna", id="somebody else"),
        pytest.param({"name": "u1", "scopes": []}, "code-anna", id="without the scope"),
        pytest.param({"name": "u1", "scopes": [SCOPE]}, "code-of-mallory", id="a code that the hub does not know"),
        pytest.param({"name": "u1", "scopes": [SCOPE]}, "", id="no code"),
    ],
)
async def test_a_login_that_the_hub_does_not_confirm_is_none(
    get: Get, hub: Hub, user: dict[str, Any], code: str
) -> None:
    hub.users["token-anna"] = user
    page = await get(**brought(code))
    cookies = given(page)
    cookie = cookies[COOKIE].value if COOKIE in cookies else ""
    assert (await get("status", headers={"Sec-Fetch-Mode": "cors"}, **{COOKIE: cookie})).code == 403
    assert is_sent_to_hub(await get(**{COOKIE: cookie}))


@pytest.mark.parametrize("call", ["POST", "GET"])
async def test_a_hub_that_restarts_meanwhile_is_asked_again(
    get: Get, hub: Hub, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Its code is good for one answer, so it is not presented a second time after one."""
    monkeypatch.setattr(login, "PAUSE_S", 0.01)
    hub.answer, hub.answered = (503, b"starting"), {call}
    cookie = given(await get(**brought()))[COOKIE].value
    status = asyncio.ensure_future(get("status", **{COOKIE: cookie}))
    async with asyncio.timeout(30):
        while [method for method, _ in hub.asked].count(call) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not status.done(), "and nobody is let in meanwhile"
    hub.answer = None
    assert (await status).code == 200
    assert [form["code"] for form in hub.forms] == ["code-anna"]


async def test_the_screen_signs_in_a_page_of_the_portal(get: Get, open_page: Get, hub: Hub) -> None:
    """Nothing of it is sent before the hub's answer."""
    open_before = len(os.listdir("/proc/self/fd"))
    hub.answering.clear()
    opened = await open_page(**brought())
    cookies = SimpleCookie()
    for line in opened.headers.get_list("Set-Cookie"):
        cookies.load(line)
    assert cookies[LAUNCH_COOKIE].value == "", "it is used, and removed"
    assert (cookies[COOKIE]["path"], cookies[COOKIE]["httponly"], cookies[COOKIE]["samesite"]) == (PREFIX, True, "Lax")
    message = asyncio.ensure_future(opened.read_message())
    assert not (await asyncio.wait({message}, timeout=0.3))[0]
    hub.answering.set()
    assert await message == OPENING[:12]
    assert await opened.read_message() == OPENING[12:]
    assert await opened.read_message() == PICTURE
    assert (await get("status", **{COOKIE: cookies[COOKIE].value})).code == 200
    assert [form["code"] for form in hub.forms] == ["code-anna"]
    opened.close()
    # the session closes its end a second later
    await until(lambda: len(os.listdir("/proc/self/fd")) <= open_before)


@pytest.mark.parametrize("user", [{"name": "u2", "scopes": [SCOPE]}, {"name": "u1", "scopes": []}])
async def test_a_screen_that_the_hub_does_not_confirm_shows_nothing(
    open_page: Get, hub: Hub, user: dict[str, Any]
) -> None:
    hub.users["token-anna"] = user
    opened = await open_page(**brought())
    assert await opened.read_message() is None
    assert opened.close_code == 4403
    opened.close()


@pytest.mark.parametrize("page", ["", "000000000000"])
async def test_a_page_of_another_release_is_loaded_from_the_session(
    get: Get, open_page: Get, hub: Hub, page: str
) -> None:
    with pytest.raises(HTTPClientError, match="403"):
        await open_page(page, **brought())
    assert hub.forms == []
    assert (await get(**brought())).code == 200, "whose page signs in, then"


async def test_another_browser_does_not_get_to_the_screen(open_page: Get, hub: Hub) -> None:
    with pytest.raises(HTTPClientError, match="403"):
        await open_page(**{LAUNCH_COOKIE: "planted.code-anna"})
    assert hub.forms == []


async def test_a_hub_that_stays_away_lets_nobody_in(
    get: Get, hub: Hub, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "PAUSE_S", 0.01)
    hub.answer = 503, b"starting"
    cookie = given(await get(**brought()))[COOKIE].value
    clock.now += login.RESTART_S + 1
    assert (await get("status", headers={"Sec-Fetch-Mode": "cors"}, **{COOKIE: cookie})).code == 403
    hub.answer = None
    assert is_sent_to_hub(await get(**{COOKIE: cookie}))
    assert hub.forms == []


async def test_it_is_valid_once(get: Get) -> None:
    assert (await get(**brought())).code == 200
    assert is_sent_to_hub(await get(**brought()))


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param("", id="none"),
        pytest.param(".", id="empty"),
        pytest.param(".code-anna", id="no secret"),
        pytest.param("planted.code-anna", id="another secret"),
        # random: its text in a name would differ between the processes that run tests
        pytest.param(f"{LOGIN.verifier}.code-anna", id="the verifier"),
        pytest.param("x" * 5000, id="too long"),
    ],
)
async def test_another_browser_signs_in_at_the_hub(get: Get, hub: Hub, cookie: str) -> None:
    assert is_sent_to_hub(await get(**{LAUNCH_COOKIE: cookie}))
    assert hub.forms == [], "its code is not redeemed"
    assert (await get(**brought())).code == 200, "and the right one is not used up"


async def test_it_is_valid_for_half_a_minute(logins: Logins, clock: Clock) -> None:
    clock.now += VALID_S + 1
    assert logins.enter_from_launch(brought()[LAUNCH_COOKIE]) is None


async def test_a_session_without_one(settings: Settings) -> None:
    logins = Logins(replace(settings, launch_login=None), HubClient(settings.api_url))
    assert logins.enter_from_launch(brought()[LAUNCH_COOKIE]) is None


@pytest.mark.parametrize(
    ("below", "method", "headers"),
    [
        pytest.param("status", "GET", {"Sec-Fetch-Mode": "cors"}, id="a script's request"),
        pytest.param("rfb", "GET", {"Upgrade": "websocket", "Connection": "Upgrade"}, id="the screen"),
        pytest.param("application", "POST", {}, id="a form"),
    ],
)
async def test_only_a_page_that_a_browser_opens_signs_in(
    get: Get, hub: Hub, below: str, method: str, headers: dict[str, str]
) -> None:
    assert (await get(below, method, headers, **brought())).code == 403
    assert hub.forms == []


def test_what_the_session_knows_is_not_what_the_browser_has() -> None:
    text = LOGIN.for_session()
    assert LOGIN.secret not in text
    expected = ExpectedLogin.read(text)
    assert expected is not None
    assert expected.code_in(LOGIN.for_browser("a.b")) == "a.b"
    assert expected.code_in(LaunchLogin.new().for_browser("code")) == ""
    assert ExpectedLogin.read("") is None
