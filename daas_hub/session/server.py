"""The server of a desktop session.

Every request and every websocket is authenticated in `prepare()`, before a handler sees it. The screen is relayed with
back-pressure: data that the browser does not take is not read from the X server.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import html
import json
import logging
import signal
import socket
import zlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tornado import template, web
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_unix_socket
from tornado.websocket import WebSocketHandler

from daas_hub.errors import SessionFailed
from daas_hub.log_redaction import redact_logs
from daas_hub.origins import is_origin_of
from daas_hub.session.activity import Activity
from daas_hub.session.desktop.desktop import Desktop
from daas_hub.session.desktop.pump import Pump
from daas_hub.session.desktop.rfb import ClientMessages
from daas_hub.session.desktop.xserver import XServer
from daas_hub.session.hubclient import HubClient
from daas_hub.session.listener import inherited_listener
from daas_hub.session.login import ASK_AGAIN_S, Logins
from daas_hub.session.settings import Settings

_log = logging.getLogger("daas-session")

#: The folder next to this file: importlib.resources would cost 10 ms of every start.
STATIC = Path(__file__).with_name("static")
COOKIE = "daas-session"
LOGIN_COOKIE = "daas-session-login"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


class Handler(web.RequestHandler):
    """Base of all handlers: authenticates before anything else."""

    settings_: Settings
    logins: Logins | None
    desktop: Desktop
    activity: Activity

    def initialize(self, **parts: Any) -> None:
        """Take the parts of the server."""
        self.__dict__.update(parts)

    def set_default_headers(self) -> None:
        """Set the headers of every response."""
        self.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-cache")

    async def prepare(self) -> None:
        """Admit users of this session, redirect a browser that opens a page to the hub's login, refuse others."""
        self._require_plain_path()
        self._require_own_origin()
        if self.logins is None:  # embedded in a notebook server, which has authenticated the request
            return
        if await self.logins.user_of(self.get_cookie(COOKIE)) is not None:
            return
        headers = self.request.headers
        if self.request.method == "GET" and "Upgrade" not in headers and _is_navigation(headers):
            self._send_to_login()
            return
        raise web.HTTPError(403)

    def _require_plain_path(self) -> None:
        """Refuse an address that no page of a session has."""
        try:
            path = unquote(self.request.path, errors="strict")
        except UnicodeDecodeError:
            raise web.HTTPError(400) from None
        if not path.isprintable():
            raise web.HTTPError(404)

    def _require_own_origin(self) -> None:
        """Refuse requests that another site made the browser send."""
        if self.request.method == "GET" and "Upgrade" not in self.request.headers:
            return
        origin = self.request.headers.get("Origin", "")
        is_plain = self.settings_.public_https and not origin.lower().startswith("https:")
        if is_plain or not is_origin_of(origin, self.request.headers.get("Host", "")):
            raise web.HTTPError(403)

    def _send_to_login(self) -> None:
        assert self.logins is not None
        address, browser = self.logins.begin(self.request.uri or "/", self._pending_logins().values())
        # a cookie for each: tabs that begin at the same moment do not see each other's
        name = f"{LOGIN_COOKIE}-{hashlib.sha256(browser.encode()).hexdigest()[:8]}"
        self._set_cookie(name, browser, max_age=600)
        self.redirect(address)

    def _pending_logins(self) -> dict[str, str]:
        """Return the secrets of this browser's logins, by the name of their cookies."""
        return {name: one.value for name, one in self.cookies.items() if name.startswith(LOGIN_COOKIE)}

    def _set_cookie(self, name: str, value: str, **more: Any) -> None:
        self.set_cookie(
            name, value, path=self.settings_.prefix, httponly=True, samesite="Lax", secure=self.settings_.public_https,
            **more,
        )  # fmt: skip

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Show a sentence; no traceback leaves the session."""
        words = {
            400: "There is no such page in this session.",
            403: "You may not use this session.",
            404: "There is no such page in this session.",
        }
        text = words.get(status_code, "This session could not handle the request.")
        home = f"{self.settings_.hub_host}{self.settings_.hub_prefix}home"
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(
            f"<!doctype html><html lang=en><title>{status_code}</title><h1>{html.escape(text)}</h1>"
            f'<p><a href="{html.escape(home)}">Back to the portal</a>'
        )


class ReadyHandler(Handler):
    """Responds to the hub's check that the session is up."""

    async def prepare(self) -> None:
        """Do not authenticate: the hub checks without a token."""

    async def get(self) -> None:
        """Respond once the screen accepts connections."""
        await self.desktop.wait_started()
        self.set_header("X-JupyterHub-Version", self.settings_.hub_version)
        self.finish({"version": self.settings_.hub_version})


class CallbackHandler(Handler):
    """The OAuth callback: the browser returns from the hub's login."""

    async def prepare(self) -> None:
        """Do not authenticate: the login is not finished yet."""

    async def get(self) -> None:
        """Finish the login."""
        assert self.logins is not None
        state, code = self.get_query_argument("state", ""), self.get_query_argument("code", "")
        pending = self._pending_logins()
        try:
            finished = await self.logins.finish(state, code, *pending.values())
        except OSError:
            raise web.HTTPError(503) from None
        for name, browser in pending.items():
            if not self.logins.is_pending(browser):
                self.clear_cookie(name, path=self.settings_.prefix)
        if finished is None and await self.logins.user_of(self.get_cookie(COOKIE)):
            # a used callback, of somebody who is in
            self.redirect(self.settings_.prefix)
            return
        if finished is None:
            raise web.HTTPError(403)
        cookie, next_path = finished
        self._set_cookie(COOKIE, cookie)
        self.redirect(next_path)


class PageHandler(Handler):
    """The desktop's page."""

    async def get(self) -> None:
        """Show it."""
        self.render(
            "index.html",
            title=self.desktop.application.title,
            session_title=self.settings_.title,
            belongs_to=self.settings_.belongs_to,
            temporary_home=self.settings_.temporary_home,
            hub_home_url=f"{self.settings_.hub_host}{self.settings_.hub_prefix}home",
            version=_version(),
            clipboard=True,
        )


class StatusHandler(Handler):
    """The state of the application."""

    async def get(self) -> None:
        """Return it as JSON."""
        desktop = self.desktop
        self.finish(
            {
                "state": desktop.state,
                "title": desktop.application.title,
                "viewers": desktop.viewers,
                "exit_code": desktop.exit_code,
                "last_output": desktop.last_output if desktop.exit_code else "",
            }
        )


class ApplicationHandler(Handler):
    """Restarts the application after its window was closed."""

    async def post(self) -> None:
        """Start it. A form of another site cannot set this header."""
        if self.request.headers.get("X-Daas-Request") != "1":
            raise web.HTTPError(403)
        self.activity.note()
        await self.desktop.wait_started()
        await self.desktop.start_application()
        self.set_status(204)


class ResolutionHandler(Handler):
    """Sets the resolution that a sharp screen has."""

    async def post(self) -> None:
        """Set it, in dots per inch. A form of another site cannot set this header."""
        if self.request.headers.get("X-Daas-Request") != "1":
            raise web.HTTPError(403)
        try:
            dpi = json.loads(self.request.body)["dpi"]
        except (ValueError, TypeError, KeyError):
            dpi = None
        if type(dpi) is not int or not 72 <= dpi <= 384:
            raise web.HTTPError(400)
        await self.desktop.wait_started()
        await self.desktop.set_resolution(dpi)
        self.set_status(204)


class AssetHandler(Handler, web.StaticFileHandler):
    """Scripts and styles; browsers cache them per version."""

    def initialize(self, **parts: Any) -> None:  # type: ignore[override]  # two bases, both are served
        """Take the parts of the server and the folder of the assets."""
        web.StaticFileHandler.initialize(self, path=parts.pop("path"))
        Handler.initialize(self, **parts)

    def set_extra_headers(self, path: str) -> None:
        """Let browsers cache a URL with a version for ever."""
        if self.get_query_argument("v", None):
            self.set_header("Cache-Control", "private, max-age=31536000, immutable")


class ScreenHandler(Handler, WebSocketHandler):
    """Relays the remote framebuffer protocol between a browser and the X server's socket file."""

    def initialize(self, **parts: Any) -> None:
        """Take the parts of the server."""
        Handler.initialize(self, **parts)
        self._screen: socket.socket | None = None
        self._pump: Pump | None = None
        self._messages = ClientMessages()
        self._close_reason: tuple[int, str] = (1000, "")

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
            stream = self.ws_connection.stream if self.ws_connection is not None else None
            if stream is None:
                raise ConnectionResetError
        except OSError:
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
            await asyncio.get_running_loop().sock_sendall(self._screen, message)
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
            if await self.logins.user_of(self.get_cookie(COOKIE)) is None:
                self._close_reason = (4403, "signed out")
                self._pump.stop()
                return


def _is_navigation(headers: HTTPHeaders) -> bool:
    """Return whether a browser opens a page, as opposed to a script's fetch."""
    return headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def make_application(
    settings: Settings, logins: Logins | None, desktop: Desktop, activity: Activity
) -> web.Application:
    """Return the tornado application of a session; with `logins` None, requests are not authenticated."""
    parts = {"settings_": settings, "logins": logins, "desktop": desktop, "activity": activity}
    prefix = settings.prefix
    # loaded now, while the screen starts, and not when the first browser waits for its page
    templates = template.Loader(str(STATIC))
    templates.load("index.html")
    _version()
    return web.Application(
        [
            (prefix + "api", ReadyHandler, parts),
            (prefix + "oauth_callback", CallbackHandler, parts),
            (prefix, PageHandler, parts),
            (prefix + "status", StatusHandler, parts),
            (prefix + "application", ApplicationHandler, parts),
            (prefix + "resolution", ResolutionHandler, parts),
            (prefix + "rfb", ScreenHandler, parts),
            (prefix + "static/(.*)", AssetHandler, parts | {"path": str(STATIC)}),
        ],
        default_handler_class=_NotFound,
        default_handler_args=parts,
        template_loader=templates,
        websocket_max_message_size=16 * 2**20,
    )


class _NotFound(Handler):
    async def prepare(self) -> None:
        await super().prepare()
        if not self._finished:
            raise web.HTTPError(404)


def run(settings: Settings, x: XServer | None, *, embedded_socket: str | None, application: str) -> int:
    """Run a session until a signal or the end of its X server; return the exit code.

    Args:
        x: the X server that was started for it, if one is installed.
        embedded_socket: path of a socket file to listen on without a login (inside a notebook server).
        application: name of one of the session's desktop applications.
    """
    redact_logs()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    wanted = settings.named(application)
    assert wanted is not None
    desktop = Desktop(wanted, settings.applications, x)
    return asyncio.run(_serve(settings, desktop, embedded_socket))


async def _serve(settings: Settings, desktop: Desktop, embedded_socket: str | None) -> int:
    hub = HubClient(settings.api_url)
    activity = Activity()
    logins = None if embedded_socket else Logins(settings, hub)
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    try:
        # the screen starts while the hub and the browser connect
        starting = asyncio.ensure_future(desktop.start())
        server = HTTPServer(make_application(settings, logins, desktop, activity), xheaders=True)
        server.add_socket(_listening_socket(settings, embedded_socket))
        await starting
        reporting = None if embedded_socket else asyncio.ensure_future(activity.report(hub, settings))
        await _first_of(ending.wait(), desktop.wait_ended())
        if reporting:
            reporting.cancel()
        server.stop()
    except SessionFailed as problem:
        _log.error("failed: %s", problem)
        return 1
    finally:
        await desktop.stop()
    return 0 if ending.is_set() else 1


def _listening_socket(settings: Settings, embedded_socket: str | None) -> socket.socket:
    if embedded_socket:
        return bind_unix_socket(embedded_socket, mode=0o600)
    if settings.listen_fd is None:
        raise SessionFailed("The session has inherited no listening socket.")
    return inherited_listener(settings.listen_fd)


async def _first_of(*waits: Awaitable[Any]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


@functools.cache
def _version() -> str:
    """Return the cache key of the assets: it changes with any of them."""
    assets = sorted(STATIC.iterdir())
    return f"{zlib.crc32(b''.join(asset.read_bytes() for asset in assets)):x}"
