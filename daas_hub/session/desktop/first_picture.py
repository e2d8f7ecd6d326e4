"""The first picture of a screen, at the size of a browser's window, requested for the browser.

By itself, a browser learns that it may set the size, sets it, and requests a picture. Each of the three crosses the
network (RFC 6143, 7.4 and 7.5; the size and continuous updates are the community's extensions). But the page knows the
size before, and noVNC's messages are always the same. So they are sent next to the X server, and the picture follows
the opening handshake.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import NamedTuple

from daas_hub.session.desktop.handshake import SIZE, TIMEOUT_S, read_exactly

#: The largest width and height that the X server accepts.
MAX_LENGTH = 16384
#: What noVNC 1.7 takes, in its order: copied rectangles, Tight, TightPNG, ZRLE, JPEG, Hextile, RRE, zlib, raw.
_ENCODINGS = (1, 7, -260, 16, 21, 5, 2, 6, 0)
#: And its pseudo-encodings: quality 8, compression 2, the size, the last rectangle, QEMU's keys and LEDs, sizes by the
#: client, power, fences, continuous updates, name, clipboard, mouse buttons, and two kinds of cursor.
_PSEUDO_ENCODINGS = (
    -24, -254, -223, -224, -258, -261, -308, -309, -312, -313, -307, -0x3F5E1A32, -316, 0x574D5664, -239,
)  # fmt: skip
_EXTENDED_DESKTOP_SIZE = -308
_UPDATE, _BELL, _CUT_TEXT = 0, 2, 3
#: The longest text of a clipboard that is kept from the short time before the browser's own messages.
_MAX_CUT_TEXT_BYTES = 1 << 16


class Size(NamedTuple):
    """Width and height of a screen, in pixels."""

    width: int
    height: int

    @classmethod
    def read(cls, width: str, height: str) -> Size | None:
        """Read it from an address; None if a screen cannot have it."""
        if not all(text.isascii() and text.isdecimal() and len(text) <= 5 for text in (width, height)):
            return None
        size = cls(int(width), int(height))
        return size if min(size) >= 1 and max(size) <= MAX_LENGTH else None


async def request_first_picture(screen: socket.socket, opening: bytes, size: Size) -> tuple[bytes, bytes]:
    """Set the size of a screen, and request its picture.

    Args:
        opening: what the X server sent in the handshake.

    Returns:
        the same with the new size, which the X server may have refused, and the requests that were sent.

    Raises:
        OSError: the X server does not answer as ours does, or takes too long.
    """
    others = b""
    now = Size(*struct.unpack(">HH", opening[SIZE]))
    async with asyncio.timeout(TIMEOUT_S):
        if now != size:
            now, others = await _resize(screen, now, size)
        requests = first_requests(now)
        await asyncio.get_running_loop().sock_sendall(screen, requests + _continuous_updates(now))
    return opening[: SIZE.start] + struct.pack(">HH", *now) + opening[SIZE.stop :] + others, requests


def first_requests(size: Size) -> bytes:
    """Return what noVNC sends after the handshake, with a screen of this size: format, encodings, and a request."""
    pixels = struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 0, 8, 16)
    return pixels + _encodings(*_ENCODINGS, *_PSEUDO_ENCODINGS) + _request(size, incremental=False)


def _continuous_updates(size: Size) -> bytes:
    # the first request is answered with the size, and only the next one with a picture
    return struct.pack(">BBHHHH", 150, 1, 0, 0, *size)


async def _resize(screen: socket.socket, now: Size, size: Size) -> tuple[Size, bytes]:
    """Request a size, which the X server may refuse; return the screen's size then, and other messages."""
    loop = asyncio.get_running_loop()
    corner = Size(1, 1)
    await loop.sock_sendall(screen, _encodings(_EXTENDED_DESKTOP_SIZE) + _request(corner, incremental=False))
    now, outputs, before = await _read_size(screen, now)
    # the first output, as large as the screen: its identifier and its flags stay
    output = outputs[:4] + struct.pack(">HHHH", 0, 0, *size) + outputs[12:16]
    wanted = struct.pack(">BxHHBx", 251, *size, 1) + output
    await loop.sock_sendall(screen, wanted + _request(corner, incremental=True))
    now, _, after = await _read_size(screen, now)
    return now, before + after


async def _read_size(screen: socket.socket, now: Size) -> tuple[Size, bytes, bytes]:
    """Read an update of sizes only: return the screen's size then, its outputs, and the messages before the update."""
    others = b""
    while (kind := (await read_exactly(screen, 1))[0]) != _UPDATE:
        others += bytes((kind,)) + await _read_other(screen, kind)
    outputs = b""
    (rectangles,) = struct.unpack(">xH", await read_exactly(screen, 3))
    for _ in range(rectangles):
        problem, width, height, encoding = struct.unpack(">2xHHHi", await read_exactly(screen, 12))
        if encoding != _EXTENDED_DESKTOP_SIZE:
            raise ConnectionRefusedError("the X server sends what was not requested")
        count = (await read_exactly(screen, 4))[0]
        outputs = await read_exactly(screen, 16 * count)
        # a refusal has the size that was requested
        now = now if problem else Size(width, height)
    if len(outputs) < 16:
        raise ConnectionRefusedError("the X server does not say its size")
    return now, outputs, others


async def _read_other(screen: socket.socket, kind: int) -> bytes:
    """Read the rest of a message that a program may cause at any time."""
    if kind == _BELL:
        return b""
    if kind == _CUT_TEXT:
        head = await read_exactly(screen, 7)
        length = abs(int.from_bytes(head[3:], "big", signed=True))
        if length <= _MAX_CUT_TEXT_BYTES:
            return head + await read_exactly(screen, length)
    raise ConnectionRefusedError("the X server sends an unexpected message")


def _encodings(*encodings: int) -> bytes:
    return struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings)


def _request(size: Size, *, incremental: bool) -> bytes:
    return struct.pack(">BBHHHH", 3, incremental, 0, 0, *size)
