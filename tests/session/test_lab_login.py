"""Logins of a notebook session against a real HTTP hub: what ends with a logout, and a hub that is away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, WebSocketHandler, websocket_connect

from daas_hub.session import lab_login
from daas_hub.session.lab_login import OwnerIdentityProvider
from daas_hub.session.login import ASK_AGAIN_S

SCOPE = "access:servers!server=u1/lab-1"


class Hub:
    """The hub's answer about a token; a test changes it."""

    def __init__(self) -> None:
        self.users: dict[str, Any] = {name: {"name": "u1", "scopes": [SCOPE]} for name in ("first", "second")}
        self.status = 0
        hub = self

        class Calls(web.RequestHandler):
            def get(self) -> None:
                user = hub.users.get(self.request.headers["Authorization"].removeprefix("token "))
                self.set_status(hub.status or (200 if user else 403))
                self.finish(json.dumps(user or {}))

        self.server, self.port = serve(web.Application([("/hub/api/user", Calls)]))


def serve(application: web.Application) -> tuple[HTTPServer, int]:
    server, sockets = HTTPServer(application), bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    return server, int(sockets[0].getsockname()[1])


class Asking(web.RequestHandler):
    """What each handler of a notebook server does first."""

    provider: OwnerIdentityProvider

    def initialize(self, provider: OwnerIdentityProvider) -> None:
        self.provider = provider

    async def prepare(self) -> None:
        if await self.provider.get_user(self) is None:
            raise web.HTTPError(403)


class Page(Asking):
    def get(self) -> None:
        self.finish("here")


class Kernel(Asking, WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


class Scene:
    """A hub and a notebook session of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hub = Hub()
        for name, value in {
            "JUPYTERHUB_API_URL": f"http://127.0.0.1:{self.hub.port}/hub/api",
            "JUPYTERHUB_USER": "u1",
            "JUPYTERHUB_API_TOKEN": "own",
            "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-u1-lab-1",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps([SCOPE]),
        }.items():
            monkeypatch.setenv(name, value)
        self.provider = OwnerIdentityProvider()
        parts = {"provider": self.provider}
        self.server, self.port = serve(
            web.Application([("/page", Page, parts), ("/kernel", Kernel, parts)], cookie_secret="x" * 32)
        )
        self.opened: list[WebSocketClientConnection] = []
        self.client = SimpleAsyncHTTPClient(force_instance=True)

    async def status(self, token: str) -> int:
        request = HTTPRequest(
            f"http://127.0.0.1:{self.port}/page", headers={"Authorization": f"token {token}"}, request_timeout=30
        )
        return (await self.client.fetch(request, raise_error=False)).code

    async def open(self, token: str) -> WebSocketClientConnection:
        address = f"ws://127.0.0.1:{self.port}/kernel"
        opened = await websocket_connect(HTTPRequest(address, headers={"Authorization": f"token {token}"}))
        self.opened.append(opened)
        return opened

    def forget_cached(self) -> None:
        self.provider.hub_auth.cache.clear()


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    scene = Scene(monkeypatch)
    yield scene
    for opened in scene.opened:
        opened.close()
    for server in (scene.server, scene.hub.server):
        server.stop()
        await server.close_all_connections()
    scene.client.close()


def test_the_hub_is_asked_every_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "own")
    auth = OwnerIdentityProvider().hub_auth
    assert auth.cache_max_age == auth.cache.max_age == ASK_AGAIN_S == 30


async def test_an_open_websocket_closes_after_the_logout(scene: Scene) -> None:
    """And no other one: each belongs to one login."""
    scene.provider.hub_auth.cache_max_age = 1
    hers, other = await scene.open("first"), await scene.open("second")
    await hers.write_message("still")
    assert await hers.read_message() == "still"
    del scene.hub.users["first"]
    assert await hers.read_message() is None, "closed by the session"
    assert hers.close_code == lab_login.SIGNED_OUT
    await other.write_message("here")
    assert await other.read_message() == "here"
    with pytest.raises(HTTPClientError):
        await scene.open("first")


async def test_a_right_that_was_withdrawn_closes_it(scene: Scene) -> None:
    scene.provider.hub_auth.cache_max_age = 1
    hers = await scene.open("first")
    scene.hub.users["first"] = {"name": "u1", "scopes": []}
    assert await hers.read_message() is None


async def test_a_hub_that_is_away_ends_nobodys_work(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await scene.status("first") == 200
    scene.hub.status = 503
    scene.forget_cached()
    assert await scene.status("first") == 200
    assert await scene.status("second") >= 500, "nobody new gets in"
    monkeypatch.setattr(lab_login, "HUB_AWAY_S", -1.0)
    scene.forget_cached()
    assert await scene.status("first") >= 500, "not for ever"


async def test_a_hub_that_refuses_is_believed(scene: Scene) -> None:
    assert await scene.status("first") == 200
    del scene.hub.users["first"]
    scene.forget_cached()
    assert await scene.status("first") == 403
    scene.hub.status = 503
    scene.forget_cached()
    assert await scene.status("first") >= 500, "what it said last counts"
