"""Addresses that no page of a desktop session has, requested from its server itself: refused, and no error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from daas_hub.session.server import make_application
from daas_hub.session.settings import read_settings

PREFIX = "/user/u1/desk-1/"


@pytest.fixture
async def address() -> AsyncIterator[str]:
    settings = read_settings(
        {
            "DAAS_SESSION": '{"title": "Desk", "application": "desk", "applications": []}',
            "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        }
    )
    parts: Any = SimpleNamespace()
    server = HTTPServer(make_application(settings, None, parts, parts))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}{PREFIX}"
    server.stop()
    await server.close_all_connections()


@pytest.mark.parametrize("below", ["", "static/", "status/", "rfb", "oauth_callback/"])
@pytest.mark.parametrize("bad", ["%00", "%ff", "a%c0%af", "%0d%0ax", "%7f"])
async def test_a_malformed_address_is_refused(address: str, below: str, bad: str) -> None:
    client = SimpleAsyncHTTPClient(force_instance=True)
    answer = await client.fetch(HTTPRequest(f"{address}{below}{bad}"), raise_error=False)
    client.close()
    assert answer.code in (400, 404)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_real_one_is_served(address: str) -> None:
    client = SimpleAsyncHTTPClient(force_instance=True)
    answer = await client.fetch(HTTPRequest(f"{address}static/desktop.css"), raise_error=False)
    client.close()
    assert answer.code == 200
