"""The hub's event loop while the far end of a tunnel sends as much as it can: small SSH packets, and large ones.

    python -m benchmarks.tunnel

A far end runs in its session, as the session's account, so it may be hostile. Measured with the hub's own pace and, in
turn, without it: how late a timer of the loop is, and how much is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys
import time
from typing import Any

import asyncssh
from aiodocker.stream import Message
from asyncssh.constants import MSG_IGNORE
from asyncssh.packet import String

import conftest  # noqa: F401  # a checkout's top-level folders are rooms of `daas_hub`
from daas_hub.spawners.docker.remote import pace
from daas_hub.spawners.docker.remote.exec_stream import ProgramStream
from daas_hub.spawners.docker.remote.tunnel import ssh_options

from .machine import section, spread, spread_head, table

PACKETS = {"small": b"", "large": b"x" * 30_000}
TICK_S = 0.003


async def flood(packets: str) -> None:
    """Be the far end, on the socket that is standard input: let the hub in, and send what it must throw away."""

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            self.connection: Any = conn

        def begin_auth(self, username: str) -> bool:
            return False

        def auth_completed(self) -> None:
            sending.append(asyncio.ensure_future(send(self.connection)))

    async def send(connection: Any) -> None:
        while True:
            for _ in range(200):
                connection.send_packet(MSG_IGNORE, String(PACKETS[packets]))
            while connection._transport.get_write_buffer_size() > 1_000_000:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)

    sending: list[asyncio.Future[None]] = []
    server = await asyncssh.run_server(
        socket.socket(fileno=0),
        server_factory=Server,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        encryption_algs=["aes128-gcm@openssh.com"],
        compression_algs=None,
    )
    await server.wait_closed()


class FarEnd:
    """What the engine gives of a program: here a process of this machine."""

    def __init__(self, packets: str) -> None:
        self.taken = 0
        self._socket, far = socket.socketpair()
        self._socket.setblocking(False)
        with far:
            self._process = subprocess.Popen([sys.executable, "-m", __spec__.name, "--flood", packets], stdin=far)

    async def read_out(self) -> Message | None:
        """Return what it printed."""
        data = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
        self.taken += len(data)
        return Message(1, data) if data else None

    async def write_in(self, data: bytes) -> None:
        """Write to its input."""
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Engine:
    """Gives one far end."""

    def __init__(self, end: FarEnd) -> None:
        self.end = end

    async def call(self, _: object) -> FarEnd:
        """Return it."""
        return self.end


async def measure(packets: str, seconds: float) -> tuple[list[float], float]:
    """Return how late the loop's timer was each time, in seconds, and the bytes taken per second."""
    end = FarEnd(packets)
    engine: Any = Engine(end)
    async with ProgramStream(engine, lambda docker: docker) as stream:  # type: ignore[arg-type, return-value]
        connection = await asyncssh.connect("session", sock=stream.socket, options=ssh_options(20))
        await asyncio.sleep(0.5)
        late, before, began = [], end.taken, time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            await asyncio.sleep(TICK_S)
            late.append(time.monotonic() - now - TICK_S)
        taken = (end.taken - before) / (time.monotonic() - began)
        connection.abort()
    return late, taken


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--flood", choices=PACKETS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.flood:
        asyncio.run(flood(options.flood))
        return
    rows, busy_s = [], pace.BUSY_S
    for packets in PACKETS:
        for name, limit in (("without", float("inf")), ("with", busy_s)):
            pace.BUSY_S = limit
            late, taken = asyncio.run(measure(packets, options.seconds))
            rows.append([packets, name, *spread(one * 1e3 for one in late), taken / 1e6])
    command = f"python -m benchmarks.tunnel --seconds {options.seconds:g}"
    section("A hostile far end of a tunnel", command, table(["packets", "pace", *spread_head("late ms"), "MB/s"], rows))


if __name__ == "__main__":
    main()
