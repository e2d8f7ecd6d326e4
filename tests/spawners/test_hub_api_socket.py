"""The one way out of a sandbox: the hub's API and nothing else of the hub, whatever the path says (D9, H5')."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tornado import web

from daas_hub.spawners.hub_api_socket import SOCKET, close_api_sockets, open_api_socket


class Echo(web.RequestHandler):
    """Stands for every page of the hub."""

    def get(self) -> None:
        self.finish("inside")


@pytest.fixture
async def api_socket(tmp_path: Path) -> AsyncIterator[Path]:
    open_api_socket(tmp_path / "api", web.Application([(".*", Echo)]), "/portal/hub/")
    yield tmp_path / "api" / SOCKET
    close_api_sockets()
    await asyncio.sleep(0)


async def ask(socket: Path, line: bytes) -> bytes:
    """Send one raw request, as nothing a browser would make of it; give the answer."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    writer.write(line + b"\r\nHost: hub\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "path", ["/portal/hub/api", "/portal/hub/api/", "/portal/hub/api/user?x=1", "/portal/hub/api/a%20b"]
)
async def test_the_api_answers(api_socket: Path, path: str) -> None:
    assert (await ask(api_socket, f"GET {path} HTTP/1.1".encode())).endswith(b"inside")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/portal/hub/",
        "/portal/hub/login",
        "/portal/hub/home",
        "/portal/hub/apix",
        "/portal/hub/admin",
        "/portal/hub/api%2f..%2flogin",
        "/portal/hub/%61pi/user",
        "/portal/user/u1/",
        "//portal/hub/api/user",
        "/hub/api/user",
        "/x/portal/hub/api/user",
        "/portal/hub/API/user",
        "http://evil.example/portal/hub/api",
        "*",
    ],
)
async def test_nothing_else_answers(api_socket: Path, path: str) -> None:
    answer = await ask(api_socket, f"GET {path} HTTP/1.1".encode())
    assert b"inside" not in answer


async def test_a_path_that_leads_out_of_the_api_is_no_page(api_socket: Path, tmp_path: Path) -> None:
    """The hub's own routes do not fold `..`: what is asked below api/ is looked up below api/."""
    open_api_socket(tmp_path / "strict", web.Application([("/portal/hub/login", Echo)]), "/portal/hub/")
    for path in ("/portal/hub/api/../login", "/portal/hub/api/%2e%2e/login", "/portal/hub/api/..%2flogin"):
        assert b"inside" not in await ask(tmp_path / "strict" / SOCKET, f"GET {path} HTTP/1.1".encode())


async def test_too_much_is_not_taken(api_socket: Path) -> None:
    """D2, G1: a session cannot fill the hub's memory."""
    answer = await ask(api_socket, b"POST /portal/hub/api HTTP/1.1\r\nContent-Length: 2000000")
    assert b"inside" not in answer


async def test_every_account_can_connect_and_the_hub_opens_it_once(api_socket: Path) -> None:
    before = os.stat(api_socket)
    assert stat.S_IMODE(before.st_mode) == 0o666
    open_api_socket(api_socket.parent, web.Application([]), "/portal/hub/")
    assert os.stat(api_socket).st_ino == before.st_ino
