"""Egress of a session: one socket file for each address that its application may connect to, and nothing else.

A session has no network, so there is nothing to filter: an address that is not on the application's list does not exist
in it. The name of an allowed host (a licence server) resolves to a loopback address of the session; the session's
server forwards each connection to a socket file, and the hub connects it with that one address.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daas_hub.relay import relay
from daas_hub.spawners.guest_layout import SOCKETS_DIR
from daas_hub.spawners.runtime_dir import bind_session_socket

#: Maximum number of a session's connections to one address: a licence client holds one or two.
MAX_CONNECTIONS = 32
CONNECT_TIMEOUT_S = 10.0
_RECORD = "egress.json"

_log = logging.getLogger("jupyterhub.daas")


@dataclass(frozen=True)
class EgressRoute:
    """One allowed address as the session sees it: host name, port, loopback address, and socket file."""

    host: str
    port: int
    loopback: str
    socket: str

    def as_document(self) -> dict[str, Any]:
        """Return the route in the form of the session's document."""
        return {"address": self.loopback, "port": self.port, "socket": f"{SOCKETS_DIR}/{self.socket}"}


def egress_routes(addresses: Sequence[str]) -> tuple[EgressRoute, ...]:
    """Return a route for each allowed address; each host has its own loopback address, so ports never collide."""
    hosts = list(dict.fromkeys(address.rpartition(":")[0] for address in addresses))
    found = []
    for number, address in enumerate(dict.fromkeys(addresses)):
        host, _, port = address.rpartition(":")
        found.append(EgressRoute(host, int(port), f"127.0.1.{hosts.index(host) + 1}", f"out{number}.sock"))
    return tuple(found)


def host_names(addresses: Sequence[str]) -> dict[str, str]:
    """Return the names of the allowed hosts with their loopback addresses."""
    return {one.host: one.loopback for one in egress_routes(addresses)}


class Egress:
    """The open egress sockets of one session."""

    def __init__(self, max_connections: int = MAX_CONNECTIONS) -> None:
        self._max_connections = max_connections
        self._servers: list[asyncio.Future[asyncio.AbstractServer]] = []

    @classmethod
    def opened(
        cls,
        sockets_dir: Path,
        addresses: Sequence[str],
        *,
        owner: int | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> Egress:
        """Open a socket for each address, and store the list for the hub's next start.

        Args:
            owner: who may connect (see `bind_session_socket`).
            max_connections: simultaneous connections to one address; further ones are closed.
        """
        egress = cls(max_connections)
        # not in the mounted folder: the session sees only the sockets
        (sockets_dir.parent / _RECORD).write_text(json.dumps(list(addresses)))
        for route in egress_routes(addresses):
            egress._open(sockets_dir / route.socket, route, owner)
        return egress

    @classmethod
    def reopened(cls, sockets_dir: Path) -> Egress:
        """Open the egress of a session that an earlier hub process started."""
        try:
            addresses = json.loads((sockets_dir.parent / _RECORD).read_text())
        except (OSError, ValueError):
            addresses = []
        return cls.opened(sockets_dir, addresses)

    def close(self) -> None:
        """Close all sockets."""
        for server in self._servers:
            if server.done() and not server.cancelled() and server.exception() is None:
                server.result().close()
            else:
                server.cancel()
        self._servers = []

    def _open(self, path: Path, route: EgressRoute, owner: int | None) -> None:
        listener = bind_session_socket(path, owner)
        room = asyncio.Semaphore(self._max_connections)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if room.locked():
                _log.warning("egress to %s:%d: more than %d connections", route.host, route.port, self._max_connections)
                writer.close()
                return
            async with room:
                try:
                    await relay(reader, writer, _connect(route))
                except (OSError, TimeoutError) as problem:
                    _log.warning("egress to %s:%d: %s", route.host, route.port, problem or "did not answer")

        self._servers.append(asyncio.ensure_future(asyncio.start_unix_server(connected, sock=listener)))


async def _connect(route: EgressRoute) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        return await asyncio.open_connection(route.host, route.port)
