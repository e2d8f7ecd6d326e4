"""The least server that shows a screen in a browser: tornado, a websocket, and the X server's socket; nothing else.

    python floor_server.py LISTEN SCREEN

The floor's sandbox runs it beside the X server. Both are paths of unix sockets.
"""

from __future__ import annotations

import asyncio
import sys

from tornado import httpserver, netutil, web, websocket


class Screen(websocket.WebSocketHandler):
    """Pass bytes between the websocket and the X server."""

    def initialize(self, path: str) -> None:
        """Take the path of the X server's socket."""
        self._path = path

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Choose what the client asks for."""
        return subprotocols[0] if subprotocols else None

    async def open(self, *_: str) -> None:
        """Connect to the X server as soon as it listens."""
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(0.002)
            else:
                break
        self._reading = asyncio.ensure_future(self._send(reader))

    async def _send(self, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(65536):
            await self.write_message(piece, binary=True)

    def on_message(self, message: str | bytes) -> None:
        """Pass the client's bytes on."""
        self._writer.write(message if isinstance(message, bytes) else message.encode())

    def on_close(self) -> None:
        """End the connection to the X server."""
        self._reading.cancel()
        self._writer.close()


async def main(listen: str, screen: str) -> None:
    """Serve until this process is ended."""
    server = httpserver.HTTPServer(web.Application([("/", Screen, {"path": screen})]))
    server.add_socket(netutil.bind_unix_socket(listen))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
