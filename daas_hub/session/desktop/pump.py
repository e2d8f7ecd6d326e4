"""A thread that copies the X server's screen updates into a websocket.

The cost of a relay is in bytes copied and messages handled. Here data are received into a buffer behind room for the
frame header, and sent from the same buffer: one copy in, one copy out. Data that the browser does not take are not read
from the X server (back-pressure), and the session's event loop is free while the thread waits in the kernel.

Xvnc sends a screen in many pieces of some 10 kB, and each costs the proxy a read, a write and 64 KiB of new memory. So
the first piece is sent at once, as every key's echo is, and the next ones are read together.

While it runs, the thread is the only writer on the websocket: a frame of another writer inside one of its own would
break the connection. So it sends its own pings, and `stop` lets it finish the current frame.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable

#: Maximum payload of one frame.
PIECE_BYTES = 1 << 18
#: Seconds between two pieces of one screen, at most, and for which the pump then lets more of it come.
BURST_S, GATHER_S = 0.004, 0.002
#: A piece of this size is enough to send: for the proxy it is one read.
ENOUGH_BYTES = 1 << 16
#: Seconds without data after which a ping is sent, so that no proxy drops the idle connection.
PING_AFTER_S = 30.0

_BINARY, _PING = 0x82, b"\x89\x00"
#: Length of the longest header of an unmasked frame (RFC 6455, 5.2).
_HEAD = 10


class Pump:
    """The stream from one screen to one browser, until either side ends."""

    def __init__(self, screen: socket.socket, browser: socket.socket, ended: Callable[[], None]) -> None:
        """Take both sockets (non-blocking); the caller closes the screen's after `ended`.

        Args:
            ended: called once, in the pump's thread, when the pump has ended for any reason.
        """
        self._screen = screen
        # a duplicate: tornado may close its own descriptor at any time, and the number be reused
        self._browser = socket.socket(fileno=os.dup(browser.fileno()))
        # large enough for a whole frame; the kernel caps it
        self._browser.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * PIECE_BYTES)
        self._ended = ended
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current frame; `ended` is called then."""
        with contextlib.suppress(OSError):
            self._screen.shutdown(socket.SHUT_RDWR)

    def abort(self) -> None:
        """Stop at once: the browser has disconnected."""
        self.stop()
        with contextlib.suppress(OSError):
            self._browser.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self._move()
        except OSError:
            pass  # either side has closed, as at the end of every screen
        finally:
            # the screen is not closed here: the event loop may be waiting to write to it
            self.stop()
            self._browser.close()
            self._ended()

    def _move(self) -> None:
        room = memoryview(bytearray(_HEAD + PIECE_BYTES))
        readable, writable = select.poll(), select.poll()
        readable.register(self._screen, select.POLLIN)
        writable.register(self._browser, select.POLLOUT)
        sent = 0.0
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
            pause = pause_after(length, time.monotonic() - sent)
            self._send(room[start : _HEAD + length], writable)
            if pause:
                time.sleep(pause)
            sent = time.monotonic()

    def _send(self, piece: memoryview, writable: select.poll) -> None:
        while piece:
            try:
                piece = piece[self._browser.send(piece) :]
            except BlockingIOError:
                writable.poll()


def pause_after(length: int, since_s: float) -> float:
    """Return how many seconds to let more data come after a piece.

    Args:
        length: its bytes.
        since_s: seconds since the piece before it.
    """
    return GATHER_S if since_s < BURST_S and length < ENOUGH_BYTES else 0.0


def frame_head(length: int) -> bytes:
    """Return the header of a server's binary frame (final, unmasked) with this payload length."""
    if length < 126:
        return bytes((_BINARY, length))
    if length < 1 << 16:
        return bytes((_BINARY, 126)) + length.to_bytes(2, "big")
    return bytes((_BINARY, 127)) + length.to_bytes(8, "big")
