"""What one session on another machine has on this one: sockets that lead there and back, made of its folder (ES38)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from daas_hub.spawners.docker.remote.session import RemoteSession
from daas_hub.spawners.hub_api_socket import SOCKET
from tests.spawners.docker.remote.site import (
    Site,
    echo,
    said_back,
)


@pytest.fixture
async def far(site: Site) -> RemoteSession:
    """A session whose folder is there, as after a restart of the hub."""
    for name in ("sockets", "api"):
        (site.here / name).mkdir()
    engine: Any = None
    return RemoteSession(engine, "session", site.here, site.here / "api", site.end)


async def reaches(path: Path) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if await said_back(path, b"hello") == b"hello":
                    return
            except OSError:
                pass
            await asyncio.sleep(0.05)


async def test_what_leads_there_and_back_is_made_of_its_folder(site: Site, far: RemoteSession) -> None:
    """Its own socket leads there; the hub's API, and each way out that its folder has, lead back."""
    (site.here / "http.sock").touch()  # left by a hub that was killed
    ways = {"api.sock": site.here / "api" / SOCKET, "out0.sock": site.here / "sockets" / "out0.sock"}
    async with (
        await asyncio.start_unix_server(echo, site.inside / "http.sock"),
        await asyncio.start_unix_server(echo, ways["api.sock"]),
        await asyncio.start_unix_server(echo, ways["out0.sock"]),
    ):
        far.keep_connected()
        far.keep_connected()
        try:
            await reaches(site.here / "http.sock")
            await reaches(site.inside / SOCKET)
            await reaches(site.inside / "out0.sock")
            assert len(site.streams) == 1, "asked for at every poll, opened once"
        finally:
            far.close()
            await asyncio.sleep(0.1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_unix_connection(str(site.here / "http.sock"))


async def test_session_whose_folder_is_gone_is_not_reached_for(site: Site, far: RemoteSession) -> None:
    (site.here / "sockets").rmdir()
    far.keep_connected()
    await asyncio.sleep(0.2)
    assert site.streams == []
    assert not (site.here / "http.sock").exists()
    far.close()
