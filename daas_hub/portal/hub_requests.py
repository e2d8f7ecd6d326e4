"""What every request to the hub has in addition, JupyterHub's own routes included.

Logins that end on the server, addresses that are checked, and the headers of a page. JupyterHub lets an authenticator
add routes, but not change what all of them do. So each route's handler is replaced by a subclass of it when the hub
builds its application (`guard_routes`): no code of JupyterHub is changed, and a route that a later release adds is
covered, too.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from jupyterhub import orm
from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.base import SESSION_COOKIE_NAME
from jupyterhub.utils import get_browser_protocol
from sqlalchemy.exc import DBAPIError
from tornado import web

from daas_hub.database import is_database_away
from daas_hub.hub_log import use_hub_log
from daas_hub.launch_reference import open_slot
from daas_hub.origins import normalized_host, normalized_origin
from daas_hub.portal.administration import note_administration
from daas_hub.portal.login_record import LoginRecord, session_id_of
from daas_hub.tables import upgrade_tables

_DATABASE_AWAY = (
    "The database of this portal does not answer. Running sessions are not affected."
    " Please load this page again in a moment."
)

#: The setting with the function that is called with each start that failed (`lost_starts.note_failure`).
NOTE_FAILURE = "daas_note_failure"

#: The policy of the portal's pages: nothing inline, nothing from another host.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'"
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
#: The hub's pages and its API; files have versions in their addresses.
_PAGE_HEADERS = _HEADERS | {"X-Frame-Options": "DENY", "Cache-Control": "no-store"}


def page_policy(settings: Mapping[str, Any], *targets: str) -> str:
    """Return the policy of a page with forms.

    Browsers apply `form-action` to the redirects of a response as well, and a launch or a login may end at a session,
    which may have a host name below the portal's.

    Args:
        settings: the hub's, as its handlers have them.
        targets: further origins at which a form may end.
    """
    sessions = urlsplit(settings.get("subdomain_host") or "")
    if sessions.hostname:
        port = f":{sessions.port}" if sessions.port else ""
        targets = (f"{sessions.scheme}://*.{sessions.hostname}{port}", *targets)
    return CONTENT_SECURITY_POLICY.replace("form-action 'self'", " ".join(("form-action 'self'", *targets)))


def require_plain_path(request: Any) -> None:
    """Check that an address is text without control characters: none of the hub's has any.

    Raises:
        HTTPError: 400 or 404.
    """
    try:
        path = unquote(request.path, errors="strict")
    except UnicodeDecodeError:
        raise web.HTTPError(400, "The address is not valid UTF-8.") from None
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        raise web.HTTPError(404, "The address contains a control character.")


def public_origin(handler: BaseHandler) -> str:
    """Return the origin at which browsers reach the portal: `JupyterHub.public_url`, or that of the request."""
    public_url = handler.settings.get("public_url")
    if public_url:
        return normalized_origin(public_url.geturl())
    return normalized_origin(f"{get_browser_protocol(handler.request)}://{handler.request.host}")


def database_away() -> web.HTTPError:
    """Return what a page says while the hub's database does not answer."""
    error = web.HTTPError(503, "the database does not answer")
    error.jupyterhub_message = _DATABASE_AWAY  # type: ignore[attr-defined]
    error.headers = {"Retry-After": "5"}  # type: ignore[attr-defined]
    return error


class FileRequest(web.RequestHandler):
    """Added to handlers that are not JupyterHub's, such as those of files."""

    def set_default_headers(self) -> None:
        """Add the headers that a handler does not set itself."""
        super().set_default_headers()
        _add_missing(self, _HEADERS)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Check the path first: tornado decodes its parts before anything else."""
        require_plain_path(self.request)
        return super().decode_argument(value, name)


class HubRequest(BaseHandler):
    """Added to JupyterHub's handlers; ours inherit it."""

    #: JupyterHub reads it in requests with a cookie, too, and sets it in those with a token only.
    _token_authenticated = False

    @property
    def content_security_policy(self) -> str:
        """The policy of a handler; the portal's where JupyterHub's only says who may frame a page."""
        policy = str(super().content_security_policy)
        has_sources = "default-src" in policy or not getattr(self.authenticator, "portal", False)
        return policy if has_sources else page_policy(self.settings)

    #: The database did not answer when the user was to be identified.
    _database_failed = False

    async def get_current_user(self) -> Any:
        """Identify the user. JupyterHub takes an error of the database for somebody who is not signed in."""
        try:
            return await super().get_current_user()
        except DBAPIError as error:
            if not is_database_away(error):
                raise
            # the server was restarted: this is the first statement since
            self.db.rollback()
            # JupyterHub has noted nobody
            del self._jupyterhub_user
        try:
            return await super().get_current_user()
        except DBAPIError as error:
            self._database_failed = is_database_away(error)
            raise

    def check_xsrf_cookie(self) -> None:
        """Check the token of a form, which belongs to a user."""
        if self._database_failed:
            raise database_away()
        super().check_xsrf_cookie()

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Say what an error of the database's server means for the user who waits for this page."""
        _, error, trace = kwargs.get("exc_info") or (None, None, None)
        if isinstance(error, Exception) and is_database_away(error):
            self.db.rollback()
            refusal = database_away()
            status_code, kwargs["exc_info"] = refusal.status_code, (type(refusal), refusal, trace)
        super().send_error(status_code, **kwargs)

    async def prepare(self) -> None:
        """Check the address, then identify the user."""
        require_plain_path(self.request)
        if self.request.method == "POST":
            # of a launch that this request begins
            open_slot()
        # addresses are made from it, and compared with it
        self.request.host = normalized_host(self.request.host, get_browser_protocol(self.request)) or self.request.host
        await super().prepare()
        if self._database_failed:
            raise database_away()

    #: Whether failures of starts are noted here, and whether one that fails during its request counts as accepted.
    follows_starts, accepts_starts = True, False

    async def spawn_single_user(
        self, user: Any, server_name: str = "", display_name: str = "", options: dict[str, object] | None = None
    ) -> None:
        """Start a session; note a failure, also one that comes after the request (see `lost_starts.note_failure`)."""
        note = self.settings.get(NOTE_FAILURE) if self.follows_starts else None
        began, key = time.monotonic(), (user.name, server_name)
        try:
            await super().spawn_single_user(user, server_name, display_name, options)
        except Exception as error:
            if note is not None:
                note(error, began, user, key, options, repeat=self.accepts_starts)
            raise
        future = user.spawners[server_name]._spawn_future
        if note is not None and future is not None:

            def note_end(done: asyncio.Future[Any]) -> None:
                note(None if done.cancelled() else done.exception(), began, user, key, options, repeat=True)

            future.add_done_callback(note_end)

    def on_finish(self) -> None:
        """Record what was done to somebody else."""
        note_administration(self)
        super().on_finish()

    def set_default_headers(self) -> None:
        """Add the headers that a handler does not set itself; what the administrator sets takes precedence."""
        super().set_default_headers()
        headers = dict(_PAGE_HEADERS)
        if any(name.lower() == "content-security-policy" for name in self.settings.get("headers", {})):
            # the administrator decides who may frame the pages
            del headers["X-Frame-Options"]
        _add_missing(self, headers)

    def _validate_next_url(self, next_url: str) -> str:
        """Return an address to continue at, or "": a header cannot contain control characters."""
        if not next_url.isprintable():
            return ""
        if normalized_origin(next_url) == public_origin(self) != "":
            parts = urlsplit(next_url)
            next_url = parts._replace(scheme="", netloc="", path="/" + parts.path.lstrip("/")).geturl()
        return str(super()._validate_next_url(next_url))

    # -- logins ---------------------------------------------------------------------------------------------------

    @property
    def logins(self) -> LoginRecord:
        """The logins that are valid."""
        return LoginRecord(self.db)

    @property
    def own_session_id(self) -> str:
        """The session id of the login that this request's cookie belongs to; "" without one."""
        return self._login_in(self.hub.cookie_name)[1]

    def is_login(self, session_id: str) -> bool:
        """Return whether a login of the current user is still valid, for responses that last."""
        return self.logins.is_valid(session_id, self.current_user.id)

    def set_hub_cookie(self, user: Any) -> None:
        """Begin a login: record it, and set the cookies of this browser."""
        if self.own_session_id:
            # somebody else was signed in with this browser
            self.logins.end(self.own_session_id)
        secret = self.logins.begin(user.id, self.cookie_max_age_days)
        self._session_id = session_id_of(secret)
        self.set_session_cookie()
        self._set_cookie(
            self.hub.cookie_name,
            f"{user.cookie_id}:{secret}",
            encrypted=True,
            path=self.hub.base_url,
            expires_days=self.cookie_max_age_days,
        )

    def clear_login_cookie(self, name: str | None = None) -> None:
        """End the login of this browser on the server, and clear its cookies."""
        session_id = self.own_session_id
        super().clear_login_cookie(name)
        if session_id:
            self.logins.end(session_id)

    def _user_for_cookie(self, cookie_name: str, cookie_value: str | None = None) -> Any:
        """Return the user of a cookie whose login is valid; clear any other cookie."""
        cookie_id, session_id = self._login_in(cookie_name, cookie_value)
        row = self.db.query(orm.User).filter(orm.User.cookie_id == cookie_id).first() if cookie_id else None
        if row is None or not self.logins.is_valid(session_id, row.id):
            if self.get_cookie(cookie_name):
                self.log.info("a login cookie is not valid, or its login was ended")
                self.clear_cookie(cookie_name, path=self.hub.base_url)
            return None
        if cookie_value is None:
            self._use_session(session_id)
        user = self._user_from_orm(row)
        if self._record_activity(user):
            self.db.commit()
        return user

    def _login_in(self, cookie_name: str, cookie_value: str | None = None) -> tuple[str, str]:
        """Return what a cookie contains: the user's `cookie_id`, and the login's session id; ("", "") if nothing."""
        value = self.get_signed_cookie(cookie_name, cookie_value, max_age_days=self.cookie_max_age_days)
        cookie_id, _, secret = (value or b"").decode("utf-8", "replace").partition(":")
        return (cookie_id, session_id_of(secret)) if cookie_id and secret else ("", "")

    def _use_session(self, session_id: str) -> None:
        """Use the login's session id, whatever cookie of that name came: the tokens it gets end with the login."""
        self._session_id = session_id
        if self.get_cookie(SESSION_COOKIE_NAME) != session_id:
            self.set_session_cookie()


def _add_missing(handler: web.RequestHandler, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        if name not in handler._headers:
            handler.set_header(name, value)


@functools.cache
def guarded(handler: type[web.RequestHandler]) -> type[web.RequestHandler]:
    """Return a subclass of a handler with the behaviour above, under the same name: the hub's metrics contain it."""
    added = HubRequest if issubclass(handler, BaseHandler) else FileRequest
    if issubclass(handler, added):
        return handler
    names = {"__module__": handler.__module__, "__qualname__": handler.__qualname__, "__doc__": handler.__doc__}
    return type(handler.__name__, (added, handler), names)


def guard_routes(app: Any) -> None:
    """Let every route of the hub that is starting have the behaviour above."""
    use_hub_log(app.log)
    upgrade_tables(app.db.get_bind())
    build = app.init_tornado_application
    settings = app.tornado_settings
    for options in (settings.setdefault("cookie_options", {}), settings.setdefault("xsrf_cookie_kwargs", {})):
        # not "Strict": a browser that returns from the login provider would arrive without its cookies
        options.setdefault("samesite", "Lax")

    def build_guarded() -> None:
        app.handlers = [
            (pattern, guarded(handler), *more) if isinstance(handler, type) else (pattern, handler, *more)
            for pattern, handler, *more in app.handlers
        ]
        settings["static_handler_class"] = guarded(settings["static_handler_class"])
        build()

    app.init_tornado_application = build_guarded
