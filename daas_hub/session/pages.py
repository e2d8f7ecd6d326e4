"""The pages of a desktop session, and what their scripts ask for."""

from __future__ import annotations

import functools
import json
from typing import Any

from tornado import web

from daas_hub.session.assets import asset_address
from daas_hub.session.end_notice import end_of
from daas_hub.session.handler import COOKIE, Handler
from daas_hub.session.round_trips import HEADER


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
        pending = self.pending_logins()
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
        self.put_cookie(COOKIE, cookie)
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
            asset=functools.partial(asset_address, self.settings_),
            clipboard=True,
            address="",
        )


class StatusHandler(Handler):
    """The state of the application."""

    async def get(self) -> None:
        """Return it as JSON; the page says how long its last question took."""
        self.activity.round_trips.note(self.request.headers.get(HEADER))
        if self.lifetime is not None:
            self.lifetime.note_page()
        desktop = self.desktop
        self.finish(
            {
                "state": desktop.state,
                "title": desktop.application.title,
                "viewers": desktop.viewers,
                "exit_code": desktop.exit_code,
                "last_output": desktop.last_output if desktop.exit_code else "",
                "end": end_of(self.lifetime) if self.lifetime is not None else None,
                "notices": self.lifetime.notices() if self.lifetime is not None else [],
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


class ExtensionHandler(Handler):
    """Keeps an idle session, or asks the hub to extend its time limit."""

    async def post(self) -> None:
        """Do what its next end needs. A form of another site cannot set this header."""
        if self.request.headers.get("X-Daas-Request") != "1":
            raise web.HTTPError(403)
        if self.lifetime is None:
            raise web.HTTPError(404)
        try:
            await self.lifetime.keep_or_extend()
        except OSError:
            raise web.HTTPError(503) from None
        self.finish({"end": end_of(self.lifetime)})


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
