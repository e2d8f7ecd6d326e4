"""The login page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from jupyterhub.handlers.login import LoginHandler
from tornado import web
from tornado.httputil import url_concat

from daas_hub.portal.authenticator import OffersLogins
from daas_hub.portal.hub_requests import page_policy
from daas_hub.portal.logout_reason import take_logout_reason


class LoginPageHandler(LoginHandler):
    """The hub's login page with our policy; the page itself is in templates/."""

    @property
    def content_security_policy(self) -> str:
        """Our policy; a login by a form may end at a session."""
        return page_policy(self.settings)

    async def get(self) -> None:
        """Show it, under the portal's own name: a login that begins under another one does not find its way back."""
        portal = urlsplit(self.settings.get("subdomain_host") or "")
        # the name only: a web server in front may add or drop the port
        if portal.hostname and self.request.host_name.lower() != portal.hostname:
            self.redirect(f"{portal.scheme}://{portal.netloc}{self.request.uri}")
            return
        await super().get()

    async def post(self) -> None:
        """Log in by a form. A login page without a password form has none to send."""
        if not self.get_body_argument("username", ""):
            raise web.HTTPError(400, "This form has no user name. Please use the login page.")
        await super().post()

    def _render(self, login_error: str | None = None, username: str | None = None, **values: Any) -> Any:
        """Add the login methods that the authenticator offers, each with the page that is wanted afterwards."""
        authenticator = self.authenticator
        offered_methods = (
            authenticator.login_methods(self.hub.base_url) if isinstance(authenticator, OffersLogins) else []
        )
        wanted = {"next": self.get_argument("next", "")}
        methods = [method | {"url": url_concat(method["url"], wanted)} for method in offered_methods]
        ended = "" if login_error else take_logout_reason(self)
        return super()._render(login_error, username, methods=methods, ended=ended, **values)
