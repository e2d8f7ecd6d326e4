"""The inherited listening socket, whose connections close in two steps.

The proxy (node) ends a request that has a body with an empty write. On a socket file that write fails with EPIPE if the
server has responded and closed by then, and the proxy replaces the response by an error page: 20 of 600 requests on a
busy machine. (Over TCP an empty write never fails.) So a connection is shut down for writing at once, and closed a
moment later: a lingering close, as web servers do it for other reasons.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

#: Seconds until a connection that was shut down is closed.
LINGER_S = 1.0


class _Lingering(socket.socket):
    """A connection with a lingering close."""

    _is_closing = False

    def close(self) -> None:
        """Shut down for writing; close after `LINGER_S`."""
        if self._is_closing:
            return
        self._is_closing = True
        try:
            self.shutdown(socket.SHUT_WR)
            asyncio.get_running_loop().call_later(LINGER_S, super().close)
        except (OSError, RuntimeError):  # the peer has closed, or the event loop has ended
            super().close()


class Listener(socket.socket):
    """A listening socket whose connections linger."""

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept the next connection."""
        connection, address = super().accept()
        return _Lingering(fileno=connection.detach()), address


def inherited_listener(fd: int) -> Listener:
    """Return the inherited listening socket with this descriptor, non-blocking."""
    listener = Listener(fileno=fd)
    listener.setblocking(False)
    return listener
