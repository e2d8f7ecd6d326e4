"""The opening handshake with an X server, made for a browser before it has said anything.

The remote framebuffer protocol begins with three questions and answers, each of which crosses the network (RFC 6143,
7.1 to 7.3). The answers are always the same here: version 3.8, no password (the session has authenticated the browser),
a shared screen. So they are given next to the X server, in microseconds, and the browser receives all that the server
sent at once. What the browser sends is checked, and dropped.
"""

from __future__ import annotations

import asyncio
import socket

from daas_hub.session.desktop.rfb import HANDSHAKE_BYTES

#: What the browser agrees to: version 3.8, no password, and a shared screen.
VERSION = b"RFB 003.008\n"
NO_PASSWORD = b"\x01"
SHARED = b"\x01"
ACCEPTED = b"\0\0\0\0"
TIMEOUT_S = 10.0
#: The longest name of a screen; ours have at most 60 characters.
MAX_NAME_BYTES = 1024
#: Where `open_screen` has the width and height of the screen, of two bytes each.
SIZE = slice(18, 22)


async def open_screen(screen: socket.socket) -> bytes:
    """Shake hands with the X server at this connected socket; return all that it sent.

    Raises:
        OSError: it does not speak the protocol as ours does, or takes too long.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(TIMEOUT_S):
        version = await read_exactly(screen, len(VERSION))
        await loop.sock_sendall(screen, VERSION)
        kinds = await read_exactly(screen, 1)
        kinds += await read_exactly(screen, kinds[0])
        if version != VERSION or NO_PASSWORD not in kinds[1:]:
            raise ConnectionRefusedError("the X server wants another protocol or a password")
        await loop.sock_sendall(screen, NO_PASSWORD)
        if await read_exactly(screen, len(ACCEPTED)) != ACCEPTED:
            raise ConnectionRefusedError("the X server refused the connection")
        await loop.sock_sendall(screen, SHARED)
        # width, height, pixel format, length of the name
        described = await read_exactly(screen, 24)
        length = int.from_bytes(described[20:24], "big")
        if length > MAX_NAME_BYTES:
            raise ConnectionRefusedError("the X server has an impossible name")
        return version + b"\x01" + NO_PASSWORD + ACCEPTED + described + await read_exactly(screen, length)


class BrowserHandshake:
    """What a browser sends at first, which the X server has had already."""

    def __init__(self, requests: bytes = b"") -> None:
        """Expect the handshake, and these requests; a browser may have others, which count then."""
        # the byte after them says whether it would share the screen
        self._expected = VERSION + NO_PASSWORD
        self._left = HANDSHAKE_BYTES
        self._requests, self._matched = requests, 0

    def strip(self, piece: bytes) -> bytes:
        """Return what of this piece of its stream comes after them.

        Raises:
            OSError: the browser gives other answers in the handshake.
        """
        begins = piece[: len(self._expected)]
        if not self._expected.startswith(begins):
            raise ConnectionRefusedError("the browser wants another protocol")
        self._expected = self._expected[len(begins) :]
        length = min(len(piece), self._left)
        self._left -= length
        return self._strip_requests(piece[length:])

    def _strip_requests(self, piece: bytes) -> bytes:
        left = self._requests[self._matched :]
        length = min(len(left), len(piece))
        if piece[:length] == left[:length]:
            self._matched += length
            return piece[length:]
        # the X server follows the last request
        withheld, self._requests = self._requests[: self._matched], b""
        return withheld + piece


async def read_exactly(screen: socket.socket, size: int) -> bytes:
    """Read this many bytes from a screen.

    Raises:
        ConnectionResetError: it was closed before.
    """
    found = b""
    while len(found) < size:
        piece = await asyncio.get_running_loop().sock_recv(screen, size - len(found))
        if not piece:
            raise ConnectionResetError("the X server closed the connection")
        found += piece
    return found
