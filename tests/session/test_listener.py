"""A connection of a session is closed so that the proxy's last, empty write does not fail."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest, ResponseStartLine

from daas_hub.session.listener import LINGER_S, inherited_listener

REQUEST = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def answer(request: HTTPServerRequest) -> None:
    assert request.connection is not None
    request.connection.write_headers(ResponseStartLine("", 204, "No Content"), request.headers.__class__())
    request.connection.finish()


async def ask(path: Path, listener: socket.socket) -> tuple[bytes, socket.socket]:
    """Send one request as the proxy does, up to its last write; give the answer and the connection."""
    server = HTTPServer(answer)
    server.add_socket(listener)
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, str(path))
    await loop.sock_sendall(client, REQUEST)
    said = b""
    while piece := await loop.sock_recv(client, 4096):
        said += piece
    server.stop()
    return said, client


def listening(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    listener.setblocking(False)
    return listener


async def test_the_last_empty_write_does_not_fail(tmp_path: Path) -> None:
    path = tmp_path / "s"
    said, client = await ask(path, inherited_listener(listening(path).detach()))
    assert said.startswith(b"HTTP/1.1 204")
    assert client.send(b"") == 0
    await asyncio.sleep(LINGER_S + 0.2)
    with client, pytest.raises(BrokenPipeError):
        client.send(b"")  # by now it is closed: nothing is left open for ever


async def test_it_would_fail_without(tmp_path: Path) -> None:
    """The reason for all this; should it ever pass, the module can go."""
    path = tmp_path / "s"
    _, client = await ask(path, listening(path))
    with client, pytest.raises(BrokenPipeError):
        client.send(b"")
