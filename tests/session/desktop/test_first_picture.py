"""The first picture comes at the size of the browser's window, and nothing of the browser is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daas_hub.session.desktop.first_picture import MAX_LENGTH, Size, first_requests, request_first_picture
from daas_hub.session.desktop.handshake import SIZE, BrowserHandshake, open_screen, read_exactly
from daas_hub.session.desktop.xserver import START_GEOMETRY, start_x
from tests.not_tried import missing

OPENING = b"RFB 003.008\n\x01\x01\0\0\0\0\x05\x00\x03\x20" + bytes(16) + b"\0\0\0\x01X"
HANDSHAKE = b"RFB 003.008\n\x01\x01"
START = Size(*map(int, START_GEOMETRY.split("x")))
WINDOW = Size(1401, 873)
OUTPUT = b"\x12\x34\x56\x78" + struct.pack(">HHHHI", 0, 0, *START, 7)
TIGHT, EXTENDED_DESKTOP_SIZE = 7, -308


@pytest.fixture
async def screen(tmp_path: Path) -> AsyncIterator[socket.socket]:
    """A connection to a real X server."""
    if shutil.which("Xvnc") is None:
        missing("browser", "Xvnc is not installed")
    x = start_x(tmp_path / "desktop", "Terminal, MA-4242")
    await asyncio.to_thread(x.read_display)
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, str(x.screen))
    yield connection
    connection.close()
    x.process.terminate()
    await asyncio.to_thread(x.process.wait)


def rectangle(size: Size, encoding: int, x: int = 0, y: int = 0) -> bytes:
    return struct.pack(">HHHHi", x, y, *size, encoding)


async def read_until(screen: socket.socket, wanted: bytes) -> None:
    """Read from an X server until it has sent this."""
    found = b""
    async with asyncio.timeout(30):
        while wanted not in found:
            found += await read_exactly(screen, 1)


@pytest.mark.parametrize("size", [WINDOW, START, Size(320, 200)])
async def test_the_picture_comes_at_the_size_of_the_window(screen: socket.socket, size: Size) -> None:
    opening = await open_screen(screen)
    described, requests = await request_first_picture(screen, opening, size)
    assert struct.unpack(">HH", described[SIZE]) == size
    assert described.replace(described[SIZE], opening[SIZE]) == opening, "and nothing else of it has changed"
    assert requests == first_requests(size)
    await read_until(screen, rectangle(size, EXTENDED_DESKTOP_SIZE))
    # of one colour: one rectangle
    await read_until(screen, rectangle(size, TIGHT))


async def test_a_size_that_the_x_server_refuses(screen: socket.socket) -> None:
    """As it was told, so that the browser does not paint a part of a screen."""
    opening = await open_screen(screen)
    described, requests = await request_first_picture(screen, opening, Size(MAX_LENGTH + 1, 10))
    assert described == opening
    assert requests == first_requests(START)
    await read_until(screen, rectangle(START, TIGHT))


def sizes(*rectangles: bytes) -> bytes:
    """Return an update of these, each with one output."""
    return b"\0\0" + len(rectangles).to_bytes(2, "big") + b"".join(one + b"\x01\0\0\0" + OUTPUT for one in rectangles)


@contextlib.asynccontextmanager
async def x_server(first: bytes, second: bytes = b"") -> AsyncIterator[tuple[socket.socket, bytearray]]:
    """Be an X server that sends this, and that after it was given a size; it keeps what it receives."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        one.setblocking(False)
    received = bytearray()

    async def serve() -> None:
        await loop.sock_sendall(theirs, first)
        while piece := await loop.sock_recv(theirs, 4096):
            received.extend(piece)
            if second and b"\xfb\0" + struct.pack(">HH", *WINDOW) in received and not has_sent:
                has_sent.append(True)
                await loop.sock_sendall(theirs, second)

    has_sent: list[bool] = []
    serving = asyncio.ensure_future(serve())
    yield ours, received
    ours.close()
    await asyncio.gather(serving, return_exceptions=True)
    theirs.close()


async def test_it_sets_the_output_that_is_there() -> None:
    """Another identifier would take the screen from the window manager, and give it another one."""
    update = sizes(rectangle(START, EXTENDED_DESKTOP_SIZE)), sizes(rectangle(WINDOW, EXTENDED_DESKTOP_SIZE, x=1))
    async with x_server(*update) as (screen, received):
        await request_first_picture(screen, OPENING, WINDOW)
    assert OUTPUT[:4] + struct.pack(">HHHHI", 0, 0, *WINDOW, 7) in received


async def test_a_refusal_that_repeats_the_size() -> None:
    """As older releases of TigerVNC answer."""
    refusal = sizes(rectangle(WINDOW, EXTENDED_DESKTOP_SIZE, x=1, y=1))
    async with x_server(sizes(rectangle(START, EXTENDED_DESKTOP_SIZE)), refusal) as (screen, _):
        assert await request_first_picture(screen, OPENING, WINDOW) == (OPENING, first_requests(START))


async def test_what_a_program_causes_meanwhile_reaches_the_browser() -> None:
    bell, text = b"\x02", b"\x03\0\0\0" + (4).to_bytes(4, "big") + b"text"
    first = bell + sizes(rectangle(START, EXTENDED_DESKTOP_SIZE))
    async with x_server(first, text + sizes(rectangle(WINDOW, EXTENDED_DESKTOP_SIZE, x=1))) as (screen, _):
        described, _ = await request_first_picture(screen, OPENING, WINDOW)
    assert described.endswith(b"X" + bell + text)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(sizes(rectangle(START, 0)), id="pixels"),
        pytest.param(b"\x01", id="a colour map"),
        pytest.param(b"\x03\0\0\0\x7f\xff\xff\xff", id="an endless text"),
        pytest.param(b"\0\0\0\0", id="an update of nothing"),
        pytest.param(b"\0\0\0\x01" + rectangle(START, EXTENDED_DESKTOP_SIZE) + bytes(4), id="no output"),
    ],
)
async def test_another_x_server_is_refused(first: bytes) -> None:
    async with x_server(first) as (screen, _):
        with pytest.raises(ConnectionRefusedError):
            await request_first_picture(screen, OPENING, WINDOW)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        ("1400", "900", Size(1400, 900)),
        ("1", str(MAX_LENGTH), Size(1, MAX_LENGTH)),
        ("", "", None),
        ("1400", "", None),
        ("0", "900", None),
        ("-1", "900", None),
        ("14.5", "900", None),
        ("1400", str(MAX_LENGTH + 1), None),
        ("1" * 5000, "900", None),
        ("١٤٠٠", "900", None),
    ],
)
def test_only_a_size_that_a_screen_can_have_is_read(width: str, height: str, size: Size | None) -> None:
    assert Size.read(width, height) == size


def test_what_the_browser_requests_again_is_dropped_however_it_is_cut() -> None:
    requests = first_requests(WINDOW)
    sent = HANDSHAKE + requests + b"\x04 its first key"
    for size in range(1, len(sent) + 1):
        handshake = BrowserHandshake(requests)
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert b"".join(map(handshake.strip, pieces)) == b"\x04 its first key"


@pytest.mark.parametrize("differs_at", [0, 19, 20, 60, -1])
@pytest.mark.parametrize("size", [1, 7, 500])
def test_other_requests_of_a_browser_count(differs_at: int, size: int) -> None:
    requests = bytearray(first_requests(WINDOW))
    requests[differs_at] ^= 1
    sent = HANDSHAKE + bytes(requests) + b"\x04 its first key"
    handshake = BrowserHandshake(first_requests(WINDOW))
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    assert b"".join(map(handshake.strip, pieces)) == sent[len(HANDSHAKE) :]
