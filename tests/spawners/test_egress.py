"""The ways out of a session: each allowed address and nothing else, through both ends, with real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from daas_hub.session.egress import _serve
from daas_hub.session.settings import EgressRoute
from daas_hub.spawners.egress import Egress, egress_routes, host_names
from tests.live_portal import free_ports
from tests.waiting import until

ADDRESSES = ("licence.facility.org:27000", "licence.facility.org:27001", "proxy.facility.org:27000")


def test_every_host_has_an_address_of_its_own() -> None:
    """DE05: two servers with one port never meet; their names lead to them."""
    found = [(one.host, one.loopback, one.port, one.socket) for one in egress_routes(ADDRESSES)]
    assert found == [
        ("licence.facility.org", "127.0.1.1", 27000, "out0.sock"),
        ("licence.facility.org", "127.0.1.1", 27001, "out1.sock"),
        ("proxy.facility.org", "127.0.1.2", 27000, "out2.sock"),
    ]
    assert host_names(ADDRESSES) == {"licence.facility.org": "127.0.1.1", "proxy.facility.org": "127.0.1.2"}
    assert egress_routes(()) == ()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1000):
        writer.write(piece.upper())
        await writer.drain()
    writer.write_eof()
    writer.close()


@pytest.fixture(autouse=True)
async def settled() -> AsyncIterator[None]:
    """Let closed connections end on both sides before the event loop does."""
    yield
    own = asyncio.current_task()
    await until(lambda: asyncio.all_tasks() <= {own})
    await asyncio.sleep(0.05)


@pytest.fixture
def sockets_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "sockets"
    folder.mkdir()
    return folder


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(connect: Callable[[], Awaitable[Connection]]) -> Connection:
    """Connect as soon as somebody listens there."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
                return await connect()
            await asyncio.sleep(0.01)


async def ask(path: Path, words: bytes) -> bytes:
    reader, writer = await connected(lambda: asyncio.open_unix_connection(path))
    writer.write(words)
    writer.write_eof()
    said = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return said


async def test_connection_reaches_the_address_and_ends_on_both_sides(sockets_dir: Path) -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    opened = Egress.opened(sockets_dir, [f"localhost:{port}"])
    assert await ask(sockets_dir / "out0.sock", b"licence?") == b"LICENCE?"
    opened.close()
    # an earlier hub's session is served by the next one
    again = Egress.reopened(sockets_dir)
    assert await ask(sockets_dir / "out0.sock", b"again") == b"AGAIN"
    again.close()
    server.close()


async def test_address_that_does_not_answer_closes_the_connection(sockets_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        opened = Egress.opened(sockets_dir, [f"localhost:{taken.getsockname()[1]}"])
        assert await ask(sockets_dir / "out0.sock", b"anybody?") == b""
        opened.close()


async def test_connections_above_the_maximum_are_closed(sockets_dir: Path) -> None:
    """H9': a session cannot use a licence server's port to exhaust the hub."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    opened = Egress.opened(sockets_dir, [f"localhost:{server.sockets[0].getsockname()[1]}"], max_connections=2)
    # they are accepted in this order
    held = [await connected(lambda: asyncio.open_unix_connection(sockets_dir / "out0.sock")) for _ in range(2)]
    reader, writer = await asyncio.open_unix_connection(sockets_dir / "out0.sock")
    assert await asyncio.wait_for(reader.read(), 30) == b""
    for _, one in [*held, (reader, writer)]:
        one.close()
    opened.close()
    server.close()


async def test_session_s_own_end_leads_to_the_socket(sockets_dir: Path) -> None:
    """A program inside connects to the name's loopback address; what it says comes out at the address outside."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    opened = Egress.opened(sockets_dir, [f"localhost:{server.sockets[0].getsockname()[1]}"])
    # not one that the kernel may give to a connection meanwhile
    port = free_ports(1)
    inside = asyncio.ensure_future(_serve([EgressRoute("127.0.1.1", port, str(sockets_dir / "out0.sock"))]))
    reader, writer = await connected(lambda: asyncio.open_connection("127.0.1.1", port))
    writer.write(b"checkout")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 30) == b"CHECKOUT"
    writer.close()
    inside.cancel()
    await asyncio.gather(inside, return_exceptions=True)
    opened.close()
    server.close()
