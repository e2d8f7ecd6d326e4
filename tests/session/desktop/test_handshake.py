"""The opening handshake, made next to the X server: its answers, and what the browser sends of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from daas_hub.session.desktop.handshake import MAX_NAME_BYTES, BrowserHandshake, open_screen
from daas_hub.session.desktop.rfb import HANDSHAKE_BYTES

NAME = b"Terminal, MA-4242"
DESCRIBED = b"\x05\x00\x03\x20" + bytes(16) + len(NAME).to_bytes(4, "big") + NAME
#: What an X server without a password sends at each step, and what it is sent before.
STEPS = [
    (b"", b"RFB 003.008\n"),
    (b"RFB 003.008\n", b"\x01\x01"),
    (b"\x01", b"\0\0\0\0"),
    (b"\x01", DESCRIBED),
]
ANSWERS = b"RFB 003.008\n\x01\x01"


@pytest_asyncio.fixture
async def ends() -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection to an X server."""
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        one.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


async def serve(end: socket.socket, steps: list[tuple[bytes, bytes]], piece: int) -> bytes:
    """Be an X server that sends pieces of this size; return what it received."""
    loop = asyncio.get_running_loop()
    received, wanted = b"", 0
    with contextlib.suppress(ConnectionError):
        for expected, sent in steps:
            wanted += len(expected)
            while len(received) < wanted:
                more = await loop.sock_recv(end, 1)
                if not more:
                    return received
                received += more
            for at in range(0, len(sent), piece):
                await loop.sock_sendall(end, sent[at : at + piece])
                await asyncio.sleep(0)
    return received


@pytest.mark.parametrize("piece", [1, 7, 4096])
async def test_the_browser_receives_at_once_what_the_x_server_said(
    ends: tuple[socket.socket, socket.socket], piece: int
) -> None:
    server = asyncio.ensure_future(serve(ends[1], STEPS, piece))
    assert await open_screen(ends[0]) == b"".join(sent for _, sent in STEPS)
    assert await server == ANSWERS
    # not a byte of what follows
    await asyncio.get_running_loop().sock_sendall(ends[1], b"next")
    assert ends[0].recv(10) == b"next"


@pytest.mark.parametrize(
    ("number", "instead", "words"),
    [
        pytest.param(0, b"RFB 003.003\n", "another protocol", id="an older version"),
        pytest.param(1, b"\x01\x02", "or a password", id="a password"),
        pytest.param(1, b"\x00\x00\x00\x00\x04full", "or a password", id="refused at once"),
        pytest.param(2, b"\0\0\0\x01\0\0\0\x02no", "refused the connection", id="refused"),
        pytest.param(3, DESCRIBED[:20] + (MAX_NAME_BYTES + 1).to_bytes(4, "big"), "impossible name", id="a long name"),
        pytest.param(3, DESCRIBED[:20] + b"\xff\xff\xff\xff", "impossible name", id="a name of 4 GB"),
    ],
)
async def test_another_x_server_is_refused(
    ends: tuple[socket.socket, socket.socket], number: int, instead: bytes, words: str
) -> None:
    steps = [(expected, instead if at == number else sent) for at, (expected, sent) in enumerate(STEPS)]
    server = asyncio.ensure_future(serve(ends[1], steps, 4096))
    with pytest.raises(ConnectionRefusedError, match=words):
        await open_screen(ends[0])
    ends[0].close()
    await server


@pytest.mark.parametrize("steps", range(len(STEPS)))
async def test_an_x_server_that_ends_meanwhile_is_no_screen(
    ends: tuple[socket.socket, socket.socket], steps: int
) -> None:
    server = asyncio.ensure_future(serve(ends[1], STEPS[:steps], 4096))
    server.add_done_callback(lambda _: ends[1].shutdown(socket.SHUT_WR))
    with pytest.raises(ConnectionResetError):
        await open_screen(ends[0])


@pytest.mark.parametrize("shared", [b"\x00", b"\x01"])
def test_what_the_browser_answers_is_dropped_however_it_is_cut(shared: bytes) -> None:
    sent = b"RFB 003.008\n\x01" + shared + b"\x00\x00 its first message"
    for first in range(HANDSHAKE_BYTES + 3):
        for second in range(first, HANDSHAKE_BYTES + 4):
            handshake = BrowserHandshake()
            pieces = (sent[:first], sent[first:second], sent[second:])
            assert b"".join(handshake.strip(piece) for piece in pieces) == sent[HANDSHAKE_BYTES:]


@pytest.mark.parametrize(
    "sent", [b"RFB 003.003\n", b"RFB 003.008\n\x02\x01", b"GET / HTTP/1.1", b"\x04\x01\0\0\0\0\0a"]
)
@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_browser_with_other_answers_is_refused(sent: bytes, size: int) -> None:
    handshake = BrowserHandshake()
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    with pytest.raises(ConnectionRefusedError):
        list(map(handshake.strip, pieces))
