"""The ways out of a session: one socket file an address its application may connect to, and nothing else.

A session has no network, so there is nothing to filter: what is not on the application's list does not exist in it. An
address that is on the list (a licence server) is a name of the session's own loopback; the session's server hands each
connection to a socket file, and the hub connects it to that one address.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daas_hub.relay import relay
from daas_hub.spawners.guest_layout import SOCKETS_DIR

#: Connections a session may have open to one address: a licence client holds one or two.
MAX_CONNECTIONS = 32
CONNECT_TIMEOUT_S = 10.0
_RECORD = "egress.json"

_log = logging.getLogger("jupyterhub.daas")


@dataclass(frozen=True)
class EgressRoute:
    """One allowed address as the session sees it: a name, the loopback address it stands for, and the socket file."""

    host: str
    port: int
    loopback: str
    socket: str

    def as_document(self) -> dict[str, Any]:
        """Return what the session's server is told."""
        return {"address": self.loopback, "port": self.port, "socket": f"{SOCKETS_DIR}/{self.socket}"}


def egress_routes(addresses: Sequence[str]) -> tuple[EgressRoute, ...]:
    """Return each allowed address its place; every host has a loopback address of its own, so ports never meet."""
    hosts = list(dict.fromkeys(address.rpartition(":")[0] for address in addresses))
    found = []
    for number, address in enumerate(dict.fromkeys(addresses)):
        host, _, port = address.rpartition(":")
        found.append(EgressRoute(host, int(port), f"127.0.1.{hosts.index(host) + 1}", f"out{number}.sock"))
    return tuple(found)


def host_names(addresses: Sequence[str]) -> dict[str, str]:
    """Return the names of the allowed hosts with their address inside."""
    return {one.host: one.loopback for one in egress_routes(addresses)}


class Egress:
    """The open ways out of one session."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Future[asyncio.AbstractServer]] = []

    @classmethod
    def opened(cls, sockets_dir: Path, addresses: Sequence[str]) -> Egress:
        """Open a way to each address; the list is kept beside them for the hub's next start."""
        egress = cls()
        # outside the door: what the session sees of it are the sockets
        (sockets_dir.parent / _RECORD).write_text(json.dumps(list(addresses)))
        for way in egress_routes(addresses):
            egress._open(sockets_dir / way.socket, way)
        return egress

    @classmethod
    def reopened(cls, sockets_dir: Path) -> Egress:
        """Open the ways of a session that an earlier hub process started."""
        try:
            addresses = json.loads((sockets_dir.parent / _RECORD).read_text())
        except (OSError, ValueError):
            addresses = []
        return cls.opened(sockets_dir, addresses)

    def close(self) -> None:
        """Close them all."""
        for server in self._servers:
            if server.done() and not server.cancelled() and server.exception() is None:
                server.result().close()
            else:
                server.cancel()
        self._servers = []

    def _open(self, path: Path, way: EgressRoute) -> None:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.fspath(path))
        # only this session has the folder
        path.chmod(0o666)
        room = asyncio.Semaphore(MAX_CONNECTIONS)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if room.locked():
                _log.warning("egress to %s:%d: more than %d connections", way.host, way.port, MAX_CONNECTIONS)
                writer.close()
                return
            async with room:
                try:
                    await relay(reader, writer, _connect(way))
                except (OSError, TimeoutError) as problem:
                    _log.warning("egress to %s:%d: %s", way.host, way.port, problem or "did not answer")

        self._servers.append(asyncio.ensure_future(asyncio.start_unix_server(connected, sock=listener)))


async def _connect(way: EgressRoute) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        return await asyncio.open_connection(way.host, way.port)
