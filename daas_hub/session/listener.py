"""The socket that was handed over, with connections that are closed as the proxy can bear it.

The proxy (node) ends a request that has a body with an empty write of its own. On a socket file that write fails with
EPIPE if the server has answered and closed by then, and the proxy throws the answer away for an error page: 20 of 600
requests on a busy machine. (Over TCP an empty write never fails.) So a connection is closed in two steps, as web
servers do it for other reasons: no more is said at once, and the rest goes a moment later.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

#: Seconds the other side has to finish what it is at.
LINGER_S = 1.0


class _Lingering(socket.socket):
    """A connection whose `close` lets the other side finish."""

    _is_closing = False

    def close(self) -> None:
        """Say no more; close a moment later."""
        if self._is_closing:
            return
        self._is_closing = True
        try:
            self.shutdown(socket.SHUT_WR)
            asyncio.get_running_loop().call_later(LINGER_S, super().close)
        except (OSError, RuntimeError):  # the other side is gone, or so is our loop
            super().close()


class Listener(socket.socket):
    """A listening socket whose connections linger."""

    def accept(self) -> tuple[socket.socket, Any]:
        """Take the next connection."""
        connection, address = super().accept()
        return _Lingering(fileno=connection.detach()), address


def inherited_listener(fd: int) -> Listener:
    """Return the inherited listening socket with this number, as an event loop wants it."""
    listener = Listener(fileno=fd)
    listener.setblocking(False)
    return listener
