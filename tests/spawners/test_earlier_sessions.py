"""The socket of the hub's API that sessions of release 0.1.0 share, while one of them runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tornado import web

from daas_hub.spawners import hub_api_socket
from daas_hub.spawners.earlier_sessions import ShareOfSocket, earlier_sockets_dir
from daas_hub.spawners.hub_api_limits import BURST
from daas_hub.spawners.hub_api_socket import SOCKET, session_routes

ROUTES = session_routes("/hub/", "*")


class Page(web.RequestHandler):
    """Stands for every page of the hub."""

    def prepare(self) -> None:
        self.finish("inside")


@pytest.fixture
def application() -> web.Application:
    return web.Application([(".*", Page)], log_function=lambda _: None)


async def ask(folder: Path, line: str) -> str:
    """Send a request, and return the first line of the response."""
    reader, writer = await asyncio.open_unix_connection(str(folder / "api" / SOCKET))
    writer.write(f"{line} HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n".encode())
    first = (await reader.read()).decode().splitlines()[0]
    writer.close()
    return first


async def test_it_is_open_until_the_last_session_ends(tmp_path: Path, application: web.Application) -> None:
    shares = [ShareOfSocket(tmp_path, application, ROUTES) for _ in range(2)]
    for user in ("anna", "ben"):
        assert "200" in await ask(tmp_path, f"POST /hub/api/users/{user}/activity")
    assert "404" in await ask(tmp_path, "GET /hub/api/users")
    assert "404" in await ask(tmp_path, "GET /hub/home")
    shares[0].close()
    assert "200" in await ask(tmp_path, "GET /hub/api/user")
    shares[1].close()
    assert not (tmp_path / "api" / SOCKET).exists()
    again = ShareOfSocket(tmp_path, application, ROUTES)
    assert "200" in await ask(tmp_path, "GET /hub/api/user")
    again.close()


async def test_each_session_adds_what_one_session_may_ask(
    tmp_path: Path, application: web.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_api_socket, "RETRY_S", 0.01)
    shares = [ShareOfSocket(tmp_path, application, ROUTES) for _ in range(3)]
    # more than one session may ask at once, and nobody waits
    async with asyncio.timeout(30):
        for _ in range(int(2 * BURST)):
            assert "200" in await ask(tmp_path, "GET /hub/api/user")
    for one in shares:
        one.close()


def test_only_their_folder_has_a_socket(tmp_path: Path) -> None:
    assert earlier_sockets_dir(tmp_path) is None
    (tmp_path / "door").mkdir()
    assert earlier_sockets_dir(tmp_path) == tmp_path / "door"
