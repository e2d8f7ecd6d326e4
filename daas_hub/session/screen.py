"""The screen of a session as a websocket.

Data that the browser does not take is not read from the X server, and the other way round.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from tornado.websocket import WebSocketClosedError, WebSocketHandler

from daas_hub.launch_login import PAGE_SCRIPT
from daas_hub.session.assets import content_key
from daas_hub.session.desktop.first_picture import Size, request_first_picture
from daas_hub.session.desktop.handshake import VERSION, BrowserHandshake, open_screen
from daas_hub.session.desktop.pump import Pump
from daas_hub.session.desktop.rfb import ClientMessages
from daas_hub.session.handler import Handler
from daas_hub.session.login import ASK_AGAIN_S


class ScreenHandler(Handler, WebSocketHandler):
    """Relays the remote framebuffer protocol between a browser and the X server's socket file."""

    def initialize(self, **parts: Any) -> None:
        """Take the parts of the server."""
        Handler.initialize(self, **parts)
        self._screen: socket.socket | None = None
        self._pump: Pump | None = None
        self._handshake = BrowserHandshake()
        self._messages = ClientMessages()
        self._close_reason: tuple[int, str] = (1000, "")

    def can_sign_in(self) -> bool:
        """Return whether the page was the portal's, of the same release as this session."""
        return self.get_query_argument("page", "") == content_key(PAGE_SCRIPT)

    def check_origin(self, origin: str) -> bool:
        """Return True: `prepare` has compared it, and tornado would compare it as text."""
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Select noVNC's subprotocol "binary", if it is offered."""
        return "binary" if "binary" in subprotocols else None

    async def open(self, *args: str, **kwargs: str) -> None:
        """Connect to the screen."""
        self.set_nodelay(True)  # tornado turns Nagle on again after the handshake
        await self.desktop.wait_started()
        loop = asyncio.get_running_loop()
        screen = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        screen.setblocking(False)
        try:
            await loop.sock_connect(screen, self.desktop.screen_socket)
            opening = await open_screen(screen)
            # without the size of its window, a browser requests everything itself
            if size := Size.read(self.get_query_argument("width", ""), self.get_query_argument("height", "")):
                opening, requests = await request_first_picture(screen, opening, size)
                self._handshake = BrowserHandshake(requests)
            # nothing of the screen before: the browser of a launch is asked about meanwhile
            if not await self.is_admitted():
                screen.close()
                self.close(4403, "not signed in")
                return
            # noVNC reads one message until it has answered the version. Before the pump, which is the only writer then
            for part in opening[: len(VERSION)], opening[len(VERSION) :]:
                await self.write_message(part, binary=True)
            stream = self.ws_connection.stream if self.ws_connection is not None else None
            if stream is None or stream.closed():
                raise ConnectionResetError
        except (OSError, WebSocketClosedError):
            screen.close()
            self.close(1011, "the screen is gone")
            return
        self._screen = screen

        def ended() -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended, too
                loop.call_soon_threadsafe(self._after_pump, screen)

        self._pump = Pump(screen, stream.socket, ended)
        self._pump.start()
        self.desktop.viewers += 1
        self._revalidation = asyncio.ensure_future(self._revalidate())

    async def on_message(self, message: str | bytes) -> None:
        """Forward a message of the browser; the next one is read when the X server has taken this one."""
        if self._screen is None or isinstance(message, str):
            return
        if self._messages.has_human_input(message):
            self.activity.note()
        try:
            if message := self._handshake.strip(message):
                await asyncio.get_running_loop().sock_sendall(self._screen, message)
        except ConnectionRefusedError:
            self._close_reason = (1002, "another protocol")
            if self._pump is not None:
                self._pump.stop()
        except (OSError, ValueError):  # closed meanwhile
            self._screen = None

    def on_close(self) -> None:
        """Stop the screen's pump."""
        if self._pump is not None:
            self._pump.abort()
            self.desktop.viewers -= 1

    def _after_pump(self, screen: socket.socket) -> None:
        """Close the websocket, which the pump no longer writes to, and the screen."""
        self._screen = None
        # a pending write was woken by the pump's shutdown, and must release the socket first
        asyncio.get_running_loop().call_later(1, screen.close)
        self._revalidation.cancel()
        self.close(*self._close_reason)

    async def _revalidate(self) -> None:
        """Close the screen when its user may no longer use this session."""
        while self.logins is not None and self._pump is not None:
            await asyncio.sleep(ASK_AGAIN_S + 1)
            if not await self.is_admitted():
                self._close_reason = (4403, "signed out")
                self._pump.stop()
                return
