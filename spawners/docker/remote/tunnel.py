"""The tunnel to a session on an engine of another machine (ES38): many connections in one stream of that engine.

On this side are the same socket files as for a local session; on the far side is a program in the session's container,
as nobody (`daas_hub.session.tunnel_end`), which speaks SSH over its input and output.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import asyncssh

from daas_hub.relay import relay
from daas_hub.spawners.docker.container_spec import SESSION_SOCKET, TUNNEL_UID
from daas_hub.spawners.docker.engine import Engine, EngineUnreachable
from daas_hub.spawners.docker.remote.exec_stream import ProgramStream
from daas_hub.spawners.docker.remote.handshake import Pipe
from daas_hub.spawners.guest_layout import API_DIR, SOCKETS_DIR

#: Connections of one session to one socket of this machine; each takes a descriptor of the hub.
MAX_CONNECTIONS = 32
#: Seconds after which silence means that the other side is gone.
_KEEPALIVE_S = 15
#: Seconds until a connection whose other end is gone is closed on this side, too.
_NOTICE_S = 0.1
_TUNNEL_END = ("/opt/daas-hub/bin/python", "-I", "-m", "daas_hub.session.tunnel_end")

_log = logging.getLogger("jupyterhub.daas")


class TunnelEnd:
    """The far end of a tunnel: the program in the container that it leads to, and the directories of its sockets.

    Args:
        reconnect_s: seconds until a tunnel that broke is opened again.
        open_timeout_s: seconds an opening may take.
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        *,
        sockets: Path = Path(SOCKETS_DIR),
        api: Path = Path(API_DIR),
        reconnect_s: float = 1.0,
        open_timeout_s: float = 20.0,
    ) -> None:
        self.container = container
        self.sockets = sockets
        self.api = api
        self.reconnect_s = reconnect_s
        self.open_timeout_s = open_timeout_s
        self._engine = engine

    @property
    def socket(self) -> Path:
        """The socket at which the session answers."""
        return self.sockets / SESSION_SOCKET

    def open(self, directories: Sequence[Path]) -> AbstractAsyncContextManager[Pipe]:
        """Start the program, which may make sockets in these directories."""
        command = [*_TUNNEL_END, str(self.socket), *map(str, directories)]
        return ProgramStream.of_command(self._engine, self.container, command, uid=TUNNEL_UID)


class Tunnel:
    """Carries the connections of one session; opened again when it breaks, until it is closed.

    Args:
        listener: the socket of this machine at which the session is reached; closed with the tunnel.
        forwards: socket files inside, each with the one of this machine it leads to.
    """

    def __init__(self, end: TunnelEnd, listener: socket.socket, forwards: Mapping[Path, Path]) -> None:
        self._end = end
        self._forwards = dict(forwards)
        self._connection: asyncssh.SSHClientConnection | None = None
        self._is_open = asyncio.Event()
        listener.setblocking(False)
        self._serving: asyncio.Future[asyncio.AbstractServer] = asyncio.ensure_future(
            asyncio.start_unix_server(self._serve, sock=listener)
        )
        self._keeping = asyncio.ensure_future(self._keep_open())

    async def wait_until_open(self) -> None:
        """Wait for the first time it is open.

        Raises:
            EngineUnreachable: it takes too long.
        """
        try:
            async with asyncio.timeout(self._end.open_timeout_s):
                await self._is_open.wait()
        except TimeoutError as problem:
            raise EngineUnreachable from problem

    def close(self) -> None:
        """End it, and all it carries."""
        self._keeping.cancel()
        self._serving.add_done_callback(_close_server)
        if self._connection is not None:
            self._connection.abort()

    async def _keep_open(self) -> None:
        logged = ""
        while True:
            try:
                await self._hold()
                logged = ""
            except Exception as problem:
                # whatever it is (aiodocker asserts that an engine is there): a session that runs must be reached again
                reason = " ".join([f"{type(problem).__name__}: {problem}", *getattr(problem, "__notes__", [])])
                if reason != logged:
                    # once an outage, and not once a second
                    _log.error("the connection to session %s broke: %s", self._end.container, reason)
                logged = reason
            finally:
                self._connection = None
                self._is_open.clear()
            await asyncio.sleep(self._end.reconnect_s)

    async def _hold(self) -> None:
        """Open the tunnel, and hold it open until it breaks."""
        directories = sorted({path.parent for path in self._forwards} | {self._end.api, self._end.sockets})
        async with self._end.open(directories) as stream:
            try:
                self._connection = await asyncssh.connect(
                    "session", sock=stream.socket, options=ssh_options(self._end.open_timeout_s)
                )
                for inside, here in self._forwards.items():
                    carry = _carrier(here, self._end.container)
                    await self._connection.start_unix_server(lambda carry=carry: carry, str(inside), encoding=None)
            except (OSError, asyncssh.Error) as problem:
                problem.add_note(stream.stderr)
                raise
            self._is_open.set()
            try:
                await self._connection.wait_closed()
            finally:
                self._connection.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await relay(reader, writer, self._open_session_socket())
        except* (OSError, EngineUnreachable, asyncssh.Error) as problems:
            _log.info("a connection to session %s ended: %s", self._end.container, problems.exceptions[0])

    async def _open_session_socket(self) -> Any:
        while True:
            # a session whose machine cannot be reached for a moment is late, not gone
            await self.wait_until_open()
            connection = self._connection
            assert connection is not None
            try:
                return await connection.open_unix_connection(str(self._end.socket))
            except (OSError, asyncssh.Error):
                # a connection that is being lost fails a moment before it is closed
                await asyncio.sleep(min(_NOTICE_S, self._end.reconnect_s))
                if not connection.is_closed():
                    raise  # the session itself does not answer
                await asyncio.sleep(self._end.reconnect_s)


def _carrier(here: Path, container: str) -> Callable[[Any, Any], Awaitable[None]]:
    """Return what carries each connection of a session to a socket of this machine; further ones are closed."""
    room = asyncio.Semaphore(MAX_CONNECTIONS)

    async def carry(reader: Any, writer: Any) -> None:
        if room.locked():
            writer.close()
            return
        async with room:
            try:
                await relay(reader, writer, asyncio.open_unix_connection(str(here)))
            except* (OSError, asyncssh.Error) as problems:
                _log.info("a connection from session %s ended: %s", container, problems.exceptions[0])

    return carry


def ssh_options(login_timeout_s: float) -> asyncssh.SSHClientConnectionOptions:
    """Return how to speak with a far end: with no key of this machine, no agent, and nobody's configuration."""
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        username="session",
        known_hosts=None,
        client_keys=None,
        agent_path=None,
        password=None,
        preferred_auth="none",
        compression_algs=None,
        encryption_algs=["aes128-gcm@openssh.com"],
        login_timeout=login_timeout_s,
        keepalive_interval=_KEEPALIVE_S,
    )


def _close_server(task: asyncio.Future[asyncio.AbstractServer]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
