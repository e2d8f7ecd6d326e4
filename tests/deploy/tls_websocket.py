"""A WebSocket over TLS, in one thread.

The sync client of `websockets` reads and writes one TLS connection in two threads, which OpenSSL does not support: now
and then its handshake waits for ever.
"""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect


class TLSWebSocket:
    """A connection to a web server with a certificate of this authority.

    Raises:
        InvalidStatus: on entering, the server refuses it.
    """

    def __init__(self, address: str, *, authority: str, origin: str, cookies: str) -> None:
        self._runner = asyncio.Runner()
        self._address = address
        self._options: dict[str, Any] = {
            "ssl": ssl.create_default_context(cafile=authority),
            "origin": origin,
            "additional_headers": {"Cookie": cookies},
            "open_timeout": 60,
        }
        self._connection: ClientConnection | None = None

    def __enter__(self) -> TLSWebSocket:
        """Open it."""
        try:
            self._connection = self._runner.run(self._open())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        if self._connection is not None:
            self._runner.run(self._connection.close())
        self._runner.close()

    def send(self, message: str | bytes) -> None:
        """Send a message."""
        assert self._connection is not None
        self._runner.run(self._connection.send(message))

    def recv(self, timeout: float) -> str | bytes:
        """Return the next message.

        Raises:
            TimeoutError: none has arrived within `timeout` seconds.
        """
        assert self._connection is not None
        return self._runner.run(asyncio.wait_for(self._connection.recv(), timeout))

    async def _open(self) -> ClientConnection:
        return await connect(self._address, **self._options)
