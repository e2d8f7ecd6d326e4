"""The server of a desktop session.

Every request and every websocket is authenticated in `Handler.prepare()`, before a handler sees it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable
from typing import Any

from tornado import template, web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket

from daas_hub.errors import SessionFailed
from daas_hub.log_redaction import redact_logs
from daas_hub.session.activity import Activity, used_file
from daas_hub.session.assets import STATIC, assets_version
from daas_hub.session.desktop.desktop import Desktop
from daas_hub.session.desktop.xserver import XServer
from daas_hub.session.handler import Handler
from daas_hub.session.hubclient import HubClient
from daas_hub.session.lifetime import Lifetime, announce_end, end_programs, lifetime_of
from daas_hub.session.listener import inherited_listener
from daas_hub.session.login import Logins
from daas_hub.session.pages import (
    ApplicationHandler,
    AssetHandler,
    CallbackHandler,
    ExtensionHandler,
    PageHandler,
    ReadyHandler,
    ResolutionHandler,
    StatusHandler,
)
from daas_hub.session.screen import ScreenHandler
from daas_hub.session.settings import Settings

_log = logging.getLogger("daas-session")


def make_application(
    settings: Settings, logins: Logins | None, desktop: Desktop, activity: Activity, lifetime: Lifetime | None = None
) -> web.Application:
    """Return the tornado application of a session; with `logins` None, requests are not authenticated."""
    parts = {
        "settings_": settings, "logins": logins, "desktop": desktop, "activity": activity, "lifetime": lifetime,
    }  # fmt: skip
    prefix = settings.prefix
    # loaded now, while the screen starts, and not when the first browser waits for its page
    templates = template.Loader(str(STATIC))
    templates.load("index.html")
    assets_version()
    return web.Application(
        [
            (prefix + "api", ReadyHandler, parts),
            (prefix + "oauth_callback", CallbackHandler, parts),
            (prefix, PageHandler, parts),
            (prefix + "status", StatusHandler, parts),
            (prefix + "application", ApplicationHandler, parts),
            (prefix + "resolution", ResolutionHandler, parts),
            (prefix + "extension", ExtensionHandler, parts),
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
    if not embedded_socket and (reference := os.environ.get("DAAS_LAUNCH")):
        _log.info("launch %s", reference)
    wanted = settings.named(application)
    assert wanted is not None
    desktop = Desktop(wanted, settings.applications, x)
    return asyncio.run(_serve(settings, desktop, embedded_socket))


async def _serve(settings: Settings, desktop: Desktop, embedded_socket: str | None) -> int:
    hub = HubClient(settings.api_url)
    activity = Activity(used_file() if embedded_socket else None)
    lifetime = None if embedded_socket else lifetime_of(settings, hub, activity)
    logins = None if embedded_socket else Logins(settings, hub)
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    try:
        # the screen starts while the hub and the browser connect
        starting = asyncio.ensure_future(desktop.start())
        server = HTTPServer(make_application(settings, logins, desktop, activity, lifetime), xheaders=True)
        server.add_socket(_listening_socket(settings, embedded_socket))
        await starting
        own_end = asyncio.ensure_future(_own_end(lifetime, ending))
        await _first_of(ending.wait(), desktop.wait_ended())
        own_end.cancel()
        server.stop()
    except SessionFailed as problem:
        _log.error("failed: %s", problem)
        return 1
    finally:
        await desktop.stop()
    if own_end.done() and not own_end.cancelled():
        end_programs()
    return 0 if ending.is_set() else 1


async def _own_end(lifetime: Lifetime | None, ending: asyncio.Event) -> None:
    """End the session when it has to, if the hub does not; never the desktops of a notebook session."""
    if lifetime is None:
        await asyncio.Event().wait()
    else:
        announce_end(await lifetime.run())
        ending.set()


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
