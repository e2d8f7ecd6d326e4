"""A session on an engine of another machine, reached over a volume and streams of that engine.

Its parts are in `volume.py`, `handshake.py` and `tunnel.py`; here is what one session has of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from daas_hub.spawners.docker.container_spec import RemoteFiles, SessionFiles
from daas_hub.spawners.docker.engine import Engine
from daas_hub.spawners.docker.remote.exec_stream import ProgramStream
from daas_hub.spawners.docker.remote.handshake import admit
from daas_hub.spawners.docker.remote.tunnel import Tunnel, TunnelEnd
from daas_hub.spawners.docker.remote.volume import REMOTE_PARTS, remove_files, send_files
from daas_hub.spawners.docker.session_transport import SessionTransport
from daas_hub.spawners.hub_api_socket import SOCKET
from daas_hub.spawners.mount_handshake import GrantedDirectory
from daas_hub.spawners.readiness import unless_over
from daas_hub.spawners.runtime_dir import open_listener
from daas_hub.storage import AccountStorage


class RemoteSession(SessionTransport):
    """One session: the volume with its generated files there, and the tunnel from its sockets here.

    Args:
        container: its name; the volume is called the same.
        directory: the session's own on this machine: identity/, sockets/ and empty/ are made by the spawner.
        api: directory of this machine with the socket of the hub's API.
        end: the far end of its tunnel.
    """

    def __init__(
        self, engine: Engine, container: str, directory: Path, api: Path, end: TunnelEnd | None = None
    ) -> None:
        self._engine = engine
        self._container = container
        self._directory = directory
        self._api = api
        self._end = end or TunnelEnd(engine, container)
        self._tunnel: Tunnel | None = None

    async def send_files(self, image: str) -> None:
        """Put the generated files into a volume (see `SessionTransport`)."""
        await send_files(self._engine, self._container, image, self._directory, REMOTE_PARTS)

    async def launch(
        self,
        create: Callable[[SessionFiles], Awaitable[None]],
        start: Callable[[], Awaitable[None]],
        granted: Sequence[GrantedDirectory],
        environment: Mapping[str, str],
        *,
        read_only: tuple[Path, ...],
        ended: asyncio.Future[str],
        storage: AccountStorage,
    ) -> None:
        """Launch it (see `SessionTransport`); the handshake goes over its own input and output."""
        await create(RemoteFiles(self._container, read_only))
        async with ProgramStream.of_container(self._engine, self._container) as stream:
            # another machine has other numbers for the same storage's device
            granted = [replace(one, device=None) for one in granted]
            await start()
            tunnel = self._connect()
            # its programs find their egress sockets, as they do on the hub's machine
            await unless_over(tunnel.wait_until_open(), ended)
            if not ended.done():
                await unless_over(admit(stream, granted, environment), ended)

    def keep_connected(self) -> None:
        """Keep the tunnel to a running session open, also after a restart of the hub."""
        if (self._directory / "sockets").is_dir():
            self._connect()

    def close(self) -> None:
        """End the tunnel, and all it carries."""
        if self._tunnel is not None:
            self._tunnel.close()
            self._tunnel = None

    async def remove_files(self) -> None:
        """Remove the volume (see `SessionTransport`)."""
        await remove_files(self._engine, self._container)

    def _connect(self) -> Tunnel:
        if self._tunnel is None:
            path = self._directory / "http.sock"
            for stale in (path, path.with_name("http.sock:80")):
                stale.unlink(missing_ok=True)
            forwards = {
                self._end.sockets / egress.name: egress for egress in (self._directory / "sockets").glob("out*.sock")
            }
            forwards[self._end.api / SOCKET] = self._api / SOCKET
            self._tunnel = Tunnel(self._end, open_listener(path), forwards)
        return self._tunnel
