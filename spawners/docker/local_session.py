"""How a session on an engine of the hub's own machine arrives, and is reached: over socket files of its own folder."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from daas_hub.spawners.docker.container_spec import ARRIVAL_SOCKET, LocalFiles, SessionFiles
from daas_hub.spawners.mount_handshake import GrantedDirectory, HandshakeSocket
from daas_hub.spawners.readiness import unless_over
from daas_hub.spawners.runtime_dir import open_listener


class LocalSession:
    """One session; nothing of it is left when its container and its folder are gone."""

    def __init__(self, folder: Path, api: Path) -> None:
        """Take the session's own folder, and the one with the socket of the hub's API."""
        self._folder = folder
        self._api = api

    async def bring_files(self, image: str) -> None:
        """Do nothing: the container is shown the generated files of this machine."""

    async def arrive(
        self,
        create: Callable[[SessionFiles], Awaitable[None]],
        start: Callable[[], Awaitable[None]],
        granted: Sequence[GrantedDirectory],
        environment: Mapping[str, str],
        *,
        read_only: tuple[Path, ...],
        over: asyncio.Future[str],
    ) -> None:
        """Have the container created and started, and let it in with what it listens at.

        Args:
            over: done when the session ended; then nobody waits any more.

        Raises:
            StorageProblem: a directory is not what was granted; nothing of the session has run.
            SessionFailed: it did not come, or went away.
        """
        gate = HandshakeSocket(self._folder / "sockets" / ARRIVAL_SOCKET)
        listener = open_listener(self._folder / "http.sock")
        try:
            await create(LocalFiles(self._folder, self._api, read_only))
            await start()
            await unless_over(gate.admit(granted, dict(environment), listener), over)
        finally:
            gate.close()
            listener.close()

    def keep_reached(self) -> None:
        """Do nothing: it listens itself, and outlives the hub."""

    def close(self) -> None:
        """Do nothing: what leads to it goes with its folder."""

    async def forget(self) -> None:
        """Do nothing: the engine keeps nothing of it but its container."""
