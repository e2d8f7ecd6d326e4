"""The input and output of a program in a container of another machine, as one socket.

The client library gives such a stream as something that blocks, so the connection is opened here: it is the same
request, over the same address, and what comes back is sorted into what the program prints and what it complains about.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import ssl
import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, urlsplit

from daas_hub.spawners.docker.engine import CALL_TIMEOUT_S, Engine, EngineUnreachable

#: The port of an engine with TLS.
TLS_PORT = 2376
_HEAD = struct.Struct(">BxxxL")
_STDERR = 2
_PIECE = 65536
_MAX_HEAD_BYTES = 65536

_log = logging.getLogger("jupyterhub.daas")


class ProgramStream:
    """What a program reads and writes. `socket` is the near end; whoever opens the stream closes it.

    Attributes:
        complaints: the end of what it wrote to its standard error, for the log.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._near, self._far = socket.socketpair()
        # the event loop takes it as it is, and would wait in it
        self._near.setblocking(False)
        self._is_far_taken = False
        self._writers: list[asyncio.StreamWriter] = []
        self._passing: list[asyncio.Task[None]] = []
        self.complaints = ""

    @classmethod
    async def of_command(cls, engine: Engine, container: str, command: Sequence[str]) -> ProgramStream:
        """Start one more program in a running container.

        Raises:
            EngineUnreachable: the engine does not answer, or does not do it.
        """
        made = await engine.call("exec_create", container, list(command), stdin=True)
        return await cls._opened(engine, f"/exec/{quote(made['Id'])}/start", {"Detach": False, "Tty": False})

    @classmethod
    async def of_container(cls, engine: Engine, container: str) -> ProgramStream:
        """Attach to the first program of a container; before its start, so that no word is lost.

        Raises:
            EngineUnreachable: the engine does not answer, or does not do it.
        """
        return await cls._opened(engine, f"/containers/{quote(container)}/attach?stream=1&stdin=1&stdout=1&stderr=1")

    @property
    def socket(self) -> socket.socket:
        """The near end."""
        return self._near

    async def __aenter__(self) -> ProgramStream:
        """Return the stream itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the stream; the program reads the end of its input."""
        for task in self._passing:
            task.cancel()
        for writer in self._writers:
            # at once: what waits to be sent has nobody to go to
            writer.transport.abort()
        self._near.close()
        if not self._is_far_taken:
            self._far.close()

    @classmethod
    async def _opened(cls, engine: Engine, path: str, body: object = None) -> ProgramStream:
        stream = cls(engine)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                reader, writer = await stream._connect()
                stream._writers.append(writer)
                await _upgrade(reader, writer, f"/v{engine.interface}{path}", body)
                far_reader, far_writer = await asyncio.open_connection(sock=stream._far)
                stream._is_far_taken = True
                stream._writers.append(far_writer)
        except (OSError, EOFError, ValueError, TimeoutError) as problem:
            stream.close()
            raise EngineUnreachable from problem
        except BaseException:
            stream.close()
            raise
        stream._passing = [
            asyncio.ensure_future(stream._sort(reader, far_writer)),
            asyncio.ensure_future(_pass_on(far_reader, writer)),
        ]
        return stream

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await self._engine.find()
        if self._engine.socket is not None:
            return await asyncio.open_unix_connection(self._engine.socket)
        address = self._engine.address
        url = urlsplit(address.url)
        folder = Path(address.certificates)
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        return await asyncio.open_connection(url.hostname, url.port or TLS_PORT, ssl=context)

    async def _sort(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on what the program prints; keep the end of what it complains about."""
        try:
            while True:
                kind, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
                while size:
                    piece = await reader.read(min(size, _PIECE))
                    if not piece:
                        return
                    size -= len(piece)
                    if kind == _STDERR:
                        self.complaints = (self.complaints + piece.decode(errors="replace"))[-4000:]
                    else:
                        writer.write(piece)
                        await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: object) -> None:
    """Ask for the stream, and read the answer's head: all that follows is the stream."""
    content = b"" if body is None else json.dumps(body).encode()
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        + content
    )
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status = head.split("\r\n", 1)[0]
    if len(head) > _MAX_HEAD_BYTES or status.split(" ")[1:2] != ["101"]:
        _log.error("the engine gives no stream for %s: %s", path.partition("?")[0], status)
        raise ValueError(status)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
