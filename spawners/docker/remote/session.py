"""How a session on an engine of another machine arrives, and is reached: over a volume and streams of that engine.

The parts (files, arrival over input and output, tunnel) are in `elsewhere.py`; here is what one session has of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from daas_hub.spawners.docker.container_spec import RemoteFiles, SessionFiles
from daas_hub.spawners.docker.engine import Engine
from daas_hub.spawners.docker.remote.exec_stream import ProgramStream
from daas_hub.spawners.docker.remote.tunnel import REMOTE_PARTS, Tunnel, admit, bring_files, forget_files
from daas_hub.spawners.guest_layout import API_DIR, SOCKETS_DIR
from daas_hub.spawners.hub_api_socket import SOCKET
from daas_hub.spawners.mount_handshake import GrantedDirectory
from daas_hub.spawners.readiness import unless_over
from daas_hub.spawners.runtime_dir import open_listener


class RemoteSession:
    """One session: the volume with its generated files there, and the tunnel from its sockets here.

    Args:
        container: its name; the volume is called the same.
        folder: the session's own on this machine: identity/, door/ and empty/ are made by whoever starts it.
        api: folder of this machine with the socket of the hub's API.
    """

    def __init__(self, engine: Engine, container: str, folder: Path, api: Path) -> None:
        self._engine = engine
        self._container = container
        self._folder = folder
        self._api = api
        self._tunnel: Tunnel | None = None

    async def bring_files(self, image: str) -> None:
        """Put the generated files there, by means of any image that the engine has.

        Raises:
            EngineUnreachable, docker.errors.APIError: the engine does not answer, or refused.
        """
        await bring_files(self._engine, self._container, image, self._folder, REMOTE_PARTS)

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
        """Have the container created and started, and let it in when it can be reached (see `LocalSession`)."""
        await create(RemoteFiles(self._container, read_only))
        async with await ProgramStream.of_container(self._engine, self._container) as stream:
            # another machine has other numbers for the same storage's device
            granted = [replace(one, device=None) for one in granted]
            await start()
            tunnel = self._reached()
            # its programs find their ways out, as they do on the hub's machine
            await unless_over(tunnel.wait_until_open(), over)
            if not over.done():
                await unless_over(admit(stream, granted, environment), over)

    def keep_reached(self) -> None:
        """Have a tunnel to a session that runs, after a restart of the hub, too."""
        if (self._folder / "sockets").is_dir():
            self._reached()

    def close(self) -> None:
        """End the tunnel, and all it carries."""
        if self._tunnel is not None:
            self._tunnel.close()
            self._tunnel = None

    async def forget(self) -> None:
        """Remove the files there.

        Raises:
            EngineUnreachable, docker.errors.APIError: the engine does not answer, or refused.
        """
        await forget_files(self._engine, self._container)

    def _reached(self) -> Tunnel:
        if self._tunnel is None:
            place = self._folder / "http.sock"
            for left in (place, place.with_name("http.sock:80")):
                left.unlink(missing_ok=True)
            ways = {f"{SOCKETS_DIR}/{way.name}": way for way in (self._folder / "sockets").glob("out*.sock")}
            ways[f"{API_DIR}/{SOCKET}"] = self._api / SOCKET
            self._tunnel = Tunnel(self._engine, self._container, open_listener(place), ways)
        return self._tunnel
