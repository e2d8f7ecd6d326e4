"""Moves what X draws into a websocket: a thread that reads and sends, and does nothing else.

A hop's price is by the byte copied and the message handled. Here a piece is received behind room for its frame's
head, and sent from where it lies: one copy in, one out, none between. What the browser does not take is not read
from X (back-pressure), and while the thread waits in the kernel the session's event loop is free.

The thread is the only writer of the websocket's bytes while it runs: a frame of somebody else in the middle of one of
its own would end the connection. So it pings by itself, and `stop` lets it finish the frame it is at.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable

#: Bytes of the screen in one frame, at most.
PIECE_BYTES = 1 << 18
#: A browser that was not sent anything for so long is sent a ping, so that nothing on the way forgets the connection.
PING_AFTER_S = 30.0

_BINARY, _PING = 0x82, b"\x89\x00"
#: Room for the longest head of a frame that is not masked (RFC 6455, 5.2).
_HEAD = 10


class Pump:
    """One direction of one screen, from its start until either side ends."""

    def __init__(self, screen: socket.socket, browser: socket.socket, ended: Callable[[], None]) -> None:
        """Take both sockets (non-blocking). The screen's stays the caller's, who closes it after `ended`.

        Args:
            ended: called once, in the pump's thread, when the pump has ended for whatever reason.
        """
        self._screen = screen
        # a descriptor of our own: tornado may close its at any time, and the number would be somebody else's
        self._browser = socket.socket(fileno=os.dup(browser.fileno()))
        # a frame should go in one call; the kernel caps what it gives
        self._browser.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * PIECE_BYTES)
        self._ended = ended
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the frame that is being sent; `ended` is called then."""
        with contextlib.suppress(OSError):
            self._screen.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End at once: the browser is gone."""
        self.stop()
        with contextlib.suppress(OSError):
            self._browser.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self._move()
        except OSError:
            pass  # one of the two is gone, which is how every screen ends
        finally:
            # not closed here: the event loop may be waiting to write to it, and would wait for ever
            self.stop()
            self._browser.close()
            self._ended()

    def _move(self) -> None:
        room = memoryview(bytearray(_HEAD + PIECE_BYTES))
        readable, writable = select.poll(), select.poll()
        readable.register(self._screen, select.POLLIN)
        writable.register(self._browser, select.POLLOUT)
        while True:
            if not readable.poll(PING_AFTER_S * 1000):
                self._send(memoryview(_PING), writable)
                continue
            try:
                length = self._screen.recv_into(room[_HEAD:])
            except BlockingIOError:
                continue
            if not length:
                return
            head = frame_head(length)
            start = _HEAD - len(head)
            room[start:_HEAD] = head
            self._send(room[start : _HEAD + length], writable)

    def _send(self, piece: memoryview, writable: select.poll) -> None:
        while piece:
            try:
                piece = piece[self._browser.send(piece) :]
            except BlockingIOError:
                writable.poll()


def frame_head(length: int) -> bytes:
    """Return the head of a binary frame from a server (final, not masked) for so many bytes."""
    if length < 126:
        return bytes((_BINARY, length))
    if length < 1 << 16:
        return bytes((_BINARY, 126)) + length.to_bytes(2, "big")
    return bytes((_BINARY, 127)) + length.to_bytes(8, "big")
