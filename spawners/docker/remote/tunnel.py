"""Sessions on an engine of another machine (ES38): the same containers, without a network, and the same sockets here.

Nothing of the hub's disk is seen there, so generated files go into a volume through the engine, and the session arrives
over its own input and output. Connections go through one stream of the engine for each session: on this side stand the
same socket files as for a session of this machine, and on the far side a program of the session's own account.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import socket
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncssh
from docker.errors import APIError, NotFound

from daas_hub.errors import SessionFailed
from daas_hub.relay import relay
from daas_hub.spawners.docker.container_spec import HUB_LABEL, SESSION_SOCKET
from daas_hub.spawners.docker.engine import Engine, EngineUnreachable
from daas_hub.spawners.docker.remote.exec_stream import ProgramStream
from daas_hub.spawners.guest_layout import API_DIR, SOCKETS_DIR
from daas_hub.spawners.mount_handshake import TIMEOUT_S, GrantedDirectory, SeenDirectory, require_granted

#: Seconds until a tunnel that broke is opened again.
AGAIN_S = 1.0
_OPEN_TIMEOUT_S = 20.0
_MAX_BYTES = 65536
#: Seconds after which silence means that the other side is gone.
_KEEPALIVE_S = 15
_FAR_END = ("/opt/daas-hub/bin/python", "-I", "-m", "daas_hub.session.tunnel_end", f"{SOCKETS_DIR}/{SESSION_SOCKET}")

#: What a session of another machine is given of its folder here.
REMOTE_PARTS = ("identity", "sockets/icons", "empty")

_log = logging.getLogger("jupyterhub.daas")


async def bring_files(engine: Engine, volume: str, image: str, folder: Path, parts: Sequence[str]) -> None:
    """Put folders of this machine into a new volume of the engine.

    Args:
        image: any image the engine has: files reach a volume through a container, which is never started.
        parts: names of folders below `folder`.

    Raises:
        EngineUnreachable, docker.errors.APIError: the engine does not answer, or refused.
    """
    labels = {HUB_LABEL: engine.hub}
    await forget_files(engine, volume)
    await engine.call("create_volume", volume, labels=labels)
    mount = {"Type": "volume", "Source": volume, "Target": "/given", "VolumeOptions": {"NoCopy": True}}
    body = {
        "Image": image,
        "Entrypoint": [""],
        "Cmd": ["true"],
        "Labels": labels,
        "HostConfig": {"NetworkMode": "none", "Mounts": [mount]},
    }
    carrier = f"{volume}-files"
    await engine.remove(carrier)
    try:
        await engine.call("create_container_from_config", body, carrier)
        await engine.call("put_archive", carrier, "/given", await asyncio.to_thread(_packed, folder, parts))
    finally:
        await engine.remove(carrier)


async def forget_files(engine: Engine, volume: str) -> None:
    """Remove such a volume; one that is gone already is no error."""
    with contextlib.suppress(NotFound):
        await engine.call("remove_volume", volume, force=True)


def _packed(folder: Path, parts: Sequence[str]) -> bytes:
    """Return folders as one archive: root's, readable by everybody."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mode = 0o755 if entry.isdir() else 0o644
        return entry

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for part in parts:
            archive.add(folder / part, arcname=Path(part).name, filter=plain)
    return packed.getvalue()


async def admit(stream: ProgramStream, granted: Sequence[GrantedDirectory], environment: Mapping[str, str]) -> None:
    """Compare what a session says it has with what was granted, and hand over its environment.

    What tells the numbers is the image's own program, before anything of the user runs.

    Raises:
        StorageProblem: a directory is not what was granted; nothing of the session has run.
        SessionFailed: it did not answer, or with something else.
    """
    loop = asyncio.get_running_loop()
    read = bytearray()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await loop.sock_sendall(stream.socket, _line([one.path for one in granted]))
            told = json.loads(await _read_line(stream.socket, read))
            require_granted(granted, [SeenDirectory(int(one[0]), int(one[1]), one[2] is True) for one in told])
            await loop.sock_sendall(stream.socket, _line(dict(environment)))
            if json.loads(await _read_line(stream.socket, read)) != "in":
                raise ValueError("it did not say that it is in")
    except (OSError, EOFError, ValueError, TypeError, IndexError, TimeoutError) as problem:
        _log.error("a session did not arrive: %s; it said: %s", problem or type(problem).__name__, stream.complaints)
        raise SessionFailed(
            "The session ended before it was ready.",
            remedy="Please tell the administrators; the hub's log says more.",
        ) from problem


def _line(document: object) -> bytes:
    return f"{json.dumps(document)}\n".encode()


async def _read_line(near: socket.socket, read: bytearray) -> bytes:
    """Return the next line; what was read beyond it stays in `read`."""
    loop = asyncio.get_running_loop()
    while b"\n" not in read:
        piece = await loop.sock_recv(near, 65536)
        if not piece or len(read) > _MAX_BYTES:
            raise EOFError
        read += piece
    line, _, rest = bytes(read).partition(b"\n")
    read[:] = rest
    return line


class Tunnel:
    """Carries the connections of one session; opened again when it breaks, until it is closed.

    Args:
        listener: the socket of this machine at which the session is reached; closed with the tunnel.
        ways: socket files inside, each with the one of this machine it leads to.
    """

    def __init__(self, engine: Engine, container: str, listener: socket.socket, ways: Mapping[str, Path]) -> None:
        self._engine = engine
        self._container = container
        self._ways = dict(ways)
        self._connection: asyncssh.SSHClientConnection | None = None
        self._is_open = asyncio.Event()
        listener.setblocking(False)
        self._serving: asyncio.Future[asyncio.AbstractServer] = asyncio.ensure_future(
            asyncio.start_unix_server(self._connected, sock=listener)
        )
        self._keeping = asyncio.ensure_future(self._keep())

    async def wait_until_open(self) -> None:
        """Wait for the first time it is open.

        Raises:
            EngineUnreachable: it takes too long.
        """
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                await self._is_open.wait()
        except TimeoutError as problem:
            raise EngineUnreachable from problem

    def close(self) -> None:
        """End it, and all it carries."""
        self._keeping.cancel()
        self._serving.add_done_callback(_close_server)
        if self._connection is not None:
            self._connection.abort()

    async def _keep(self) -> None:
        told = ""
        while True:
            try:
                await self._carry()
                told = ""
            except (OSError, asyncssh.Error, SessionFailed, APIError, TimeoutError) as problem:
                said = " ".join([f"{type(problem).__name__}: {problem}", *getattr(problem, "__notes__", [])])
                if said != told:
                    # once an outage, and not once a second
                    _log.error("the connection to session %s broke: %s", self._container, said)
                told = said
            finally:
                self._connection = None
                self._is_open.clear()
            await asyncio.sleep(AGAIN_S)

    async def _carry(self) -> None:
        folders = sorted({str(Path(path).parent) for path in self._ways} | {API_DIR, SOCKETS_DIR})
        async with await ProgramStream.of_command(self._engine, self._container, [*_FAR_END, *folders]) as stream:
            try:
                self._connection = await asyncssh.connect("session", sock=stream.socket, options=_options())
                for inside, here in self._ways.items():
                    await self._connection.forward_remote_path(inside, str(here))
            except (OSError, asyncssh.Error) as problem:
                problem.add_note(stream.complaints)
                raise
            self._is_open.set()
            try:
                await self._connection.wait_closed()
            finally:
                self._connection.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await relay(reader, writer, self._far())
        except* (OSError, EngineUnreachable, asyncssh.Error) as problems:
            _log.info("a connection to session %s ended: %s", self._container, problems.exceptions[0])

    async def _far(self) -> Any:
        while True:
            # a session whose machine cannot be reached for a moment is late, not gone
            await self.wait_until_open()
            connection = self._connection
            assert connection is not None
            try:
                return await connection.open_unix_connection(f"{SOCKETS_DIR}/{SESSION_SOCKET}")
            except asyncssh.Error:
                if not connection.is_closed():
                    raise  # the session itself does not answer
                await asyncio.sleep(AGAIN_S)


def _options() -> asyncssh.SSHClientConnectionOptions:
    """Return what is spoken with a far end: no keys of this machine, no agent, nothing of anybody's configuration."""
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
        login_timeout=_OPEN_TIMEOUT_S,
        keepalive_interval=_KEEPALIVE_S,
    )


def _close_server(task: asyncio.Future[asyncio.AbstractServer]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
