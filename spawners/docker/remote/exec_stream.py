"""The input and output of a program in a container, as one socket: asyncssh speaks over sockets only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType

import aiohttp
from aiodocker import Docker, DockerError
from aiodocker.stream import Stream

from daas_hub.spawners.docker.engine import Engine, EngineUnreachable
from daas_hub.spawners.docker.remote.pace import Pace

_STDERR = 2
_CHUNK_BYTES = 65536
_MAX_STDERR = 4000
_CLOSE_TIMEOUT_S = 5.0
#: The connection is gone; aiodocker asserts that it is there.
_ENDED = (OSError, aiohttp.ClientError, RuntimeError, AssertionError)

_log = logging.getLogger("jupyterhub.daas")


class ProgramStream:
    """An async context manager: open while it lasts, and the program reads the end of its input afterwards.

    Attributes:
        socket: the near end; what is written to it is the program's input, what is read its output.
        stderr: the end of what the program wrote to its standard error, for the log.
    """

    def __init__(self, engine: Engine, attach: Callable[[Docker], Awaitable[Stream]]) -> None:
        self._engine = engine
        self._attach = attach
        self._pace = Pace()
        self._pumps: list[asyncio.Task[None]] = []
        self.stderr = ""

    @classmethod
    def of_command(cls, engine: Engine, container: str, command: Sequence[str], *, uid: int) -> ProgramStream:
        """Start one more program in a running container, with this uid and gid."""

        async def attach(docker: Docker) -> Stream:
            program = await docker.containers.container(container).exec(
                # not in the session's home, which is its account's
                list(command),
                stdin=True,
                user=f"{uid}:{uid}",
                workdir="/",
            )
            return await program.start(detach=False).__aenter__()

        return cls(engine, attach)

    @classmethod
    def of_container(cls, engine: Engine, container: str) -> ProgramStream:
        """Attach to the first program of a container; before its start, so that no output is lost."""

        async def attach(docker: Docker) -> Stream:
            stream = docker.containers.container(container).attach(stdin=True, stdout=True, stderr=True)
            return await stream.__aenter__()

        return cls(engine, attach)

    async def __aenter__(self) -> ProgramStream:
        """Open it.

        Raises:
            EngineUnreachable: the engine does not answer, or refuses.
        """
        try:
            self._stream = await self._engine.call(self._attach)
        except DockerError as error:
            _log.error("the engine gives no stream to a program: %s", error)
            raise EngineUnreachable from error
        self.socket, self._inner = socket.socketpair()
        for end in (self.socket, self._inner):
            end.setblocking(False)
        self._pumps = [asyncio.create_task(self._copy_output()), asyncio.create_task(self._copy_input())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        for pump in self._pumps:
            pump.cancel()
        await asyncio.wait(self._pumps)
        with contextlib.suppress(*_ENDED):
            # an engine that is gone takes no end of the input
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._stream.close()
        self._inner.close()
        self.socket.close()

    async def _copy_output(self) -> None:
        """Pass on what the program prints, no faster than it is read; keep the end of its standard error."""
        with contextlib.suppress(*_ENDED):
            while (message := await self._stream.read_out()) is not None:
                if message.stream == _STDERR:
                    self.stderr = (self.stderr + message.data.decode(errors="replace"))[-_MAX_STDERR:]
                    await self._pace.passed(0)
                    continue
                await self._pass_on(message.data)
        with contextlib.suppress(OSError):
            self._inner.shutdown(socket.SHUT_RDWR)

    async def _pass_on(self, data: bytes) -> None:
        """Pass on what the program printed, in pieces."""
        view = memoryview(data)
        while view:
            piece, view = view[: self._pace.size], view[self._pace.size :]
            await asyncio.get_running_loop().sock_sendall(self._inner, piece)
            await self._pace.passed(len(piece))

    async def _copy_input(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(*_ENDED):
            while piece := await loop.sock_recv(self._inner, _CHUNK_BYTES):
                await self._stream.write_in(piece)
