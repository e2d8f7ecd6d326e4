"""The base of a session's handlers: who may make a request, and the headers of every response."""

from __future__ import annotations

import hashlib
import html
from typing import Any
from urllib.parse import unquote

from tornado import web
from tornado.httputil import HTTPHeaders

from daas_hub.launch_login import COOKIE as LAUNCH_COOKIE
from daas_hub.origins import is_origin_of
from daas_hub.session.activity import Activity
from daas_hub.session.desktop.desktop import Desktop
from daas_hub.session.lifetime import Lifetime
from daas_hub.session.login import Logins
from daas_hub.session.settings import Settings

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
    #: None for a desktop inside a notebook session, which ends with that.
    lifetime: Lifetime | None
    #: The cookie that this response sets, for a browser that had none.
    _new_cookie_value: str | None = None

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
            if not self._has_launched():
                self._send_to_login()
            return
        if self.can_sign_in() and self._has_launched():
            return
        raise web.HTTPError(403)

    def can_sign_in(self) -> bool:
        """Return whether a request that opens no page may sign in the browser that launched this session.

        Its handler waits for the hub's answer (`is_admitted`) before it sends anything.
        """
        return False

    async def is_admitted(self) -> bool:
        """Return whether this request is of somebody who may use this session, once the hub has said so."""
        return self.logins is None or await self.logins.user_of(self.session_cookie) is not None

    @property
    def session_cookie(self) -> str | None:
        """This browser's cookie, or the one that it gets with this response."""
        return self._new_cookie_value or self.get_cookie(COOKIE)

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

    def _has_launched(self) -> bool:
        """Sign in the browser that launched this session, and return whether it is that browser."""
        assert self.logins is not None
        cookie = self.logins.enter_from_launch(self.get_cookie(LAUNCH_COOKIE))
        if cookie is None:
            return False
        self._new_cookie_value = cookie
        self.put_cookie(COOKIE, cookie)
        self.clear_cookie(LAUNCH_COOKIE, path=self.settings_.prefix)
        return True

    def _send_to_login(self) -> None:
        assert self.logins is not None
        address, browser = self.logins.begin(self.request.uri or "/", self.pending_logins().values())
        # a cookie for each: tabs that begin at the same moment do not see each other's
        name = f"{LOGIN_COOKIE}-{hashlib.sha256(browser.encode()).hexdigest()[:8]}"
        self.put_cookie(name, browser, max_age=600)
        self.redirect(address)

    def pending_logins(self) -> dict[str, str]:
        """Return the secrets of this browser's logins, by the name of their cookies."""
        return {name: one.value for name, one in self.cookies.items() if name.startswith(LOGIN_COOKIE)}

    def put_cookie(self, name: str, value: str, **more: Any) -> None:
        """Set a cookie that only this session gets, and no script."""
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


def _is_navigation(headers: HTTPHeaders) -> bool:
    """Return whether a browser opens a page, as opposed to a script's fetch."""
    return headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
