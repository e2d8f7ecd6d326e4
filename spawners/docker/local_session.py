"""A session on an engine of the hub's own machine, reached over socket files of its own directory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from daas_hub.spawners.docker.container_spec import ARRIVAL_SOCKET, LocalFiles, SessionFiles
from daas_hub.spawners.docker.session_transport import SessionTransport
from daas_hub.spawners.mount_handshake import GrantedDirectory, HandshakeSocket
from daas_hub.spawners.readiness import unless_over
from daas_hub.spawners.runtime_dir import open_listener
from daas_hub.storage import AccountStorage


class LocalSession(SessionTransport):
    """One session, which listens itself and outlives the hub; nothing outlives its container and its directory."""

    def __init__(self, directory: Path, api: Path) -> None:
        """Take the session's own directory, and the one with the socket of the hub's API."""
        self._directory = directory
        self._api = api

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
        """Launch it (see `SessionTransport`); it is handed the socket that it listens on."""
        handshake = HandshakeSocket(self._directory / "sockets" / ARRIVAL_SOCKET)
        listener = open_listener(self._directory / "http.sock")
        try:
            await create(LocalFiles(self._directory, self._api, read_only))
            await start()
            await unless_over(handshake.admit(granted, dict(environment), listener, storage), ended)
        finally:
            handshake.close()
            listener.close()
