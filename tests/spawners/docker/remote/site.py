"""A machine with an engine of its own, played by a folder and real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from daas_hub.spawners.docker.remote.tunnel import Tunnel, TunnelEnd
from daas_hub.spawners.runtime_dir import open_listener


class Stream:
    """What `ProgramStream` is, of a program of this machine."""

    def __init__(self, command: tuple[str, ...], env: dict[str, str]) -> None:
        self.stderr = ""
        self.socket, far = socket.socketpair()
        self.socket.setblocking(False)
        with far:
            self.process = subprocess.Popen(command, stdin=far, stdout=far, env=os.environ | env)

    @classmethod
    def of(cls, *command: str, **env: str) -> Stream:
        return cls(command, env)

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()
        self.process.kill()
        await asyncio.to_thread(self.process.wait)


class SiteEnd(TunnelEnd):
    """The far end of this machine: the same program, in folders of the test."""

    def __init__(self, inside: Path, open_timeout_s: float = 20.0) -> None:
        engine: Any = None
        super().__init__(engine, "session", sockets=inside, api=inside, reconnect_s=0.05, open_timeout_s=open_timeout_s)
        self.streams: list[Stream] = []
        self.command = (sys.executable, "-m", "daas_hub.session.tunnel_end")

    def open(self, directories: Sequence[Path]) -> Stream:
        self.streams.append(Stream.of(*self.command, str(self.socket), *map(str, directories)))
        return self.streams[-1]


class Site:
    """One session's sockets on both sides, and the streams the tunnel opened."""

    def __init__(self, folder: Path) -> None:
        self.here = folder / "here"
        self.inside = folder / "inside"
        for place in (self.here, self.inside):
            place.mkdir()
        self.end = SiteEnd(self.inside)

    @property
    def streams(self) -> list[Stream]:
        return self.end.streams

    @contextlib.asynccontextmanager
    async def tunnel(self, **forwards: Path) -> AsyncIterator[Tunnel]:
        listener = open_listener(self.here / "http.sock")
        tunnel = Tunnel(self.end, listener, {self.inside / f"{name}.sock": path for name, path in forwards.items()})
        try:
            yield tunnel
        finally:
            tunnel.close()
            await asyncio.sleep(0.1)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, and end when it ends."""
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()


async def said_back(path: Path, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(sent)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer
