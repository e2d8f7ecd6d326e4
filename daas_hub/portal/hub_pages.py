"""JupyterHub's own pages with the portal's headers, and its sharing of servers, which is refused.

What they show is in templates/: `token.html`, `admin.html`, `oauth.html`, `error.html`.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.apihandlers.auth import OAuthAuthorizeHandler, TokenAPIHandler
from jupyterhub.apihandlers.shares import ServerShareAPIHandler, ServerShareCodeAPIHandler
from jupyterhub.apihandlers.users import UserAPIHandler
from jupyterhub.handlers.pages import AdminHandler, ProxyErrorHandler, TokenPageHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import maybe_future
from tornado import web

from daas_hub.portal.base import PortalHandler, PortalHeaders
from daas_hub.portal.hub_requests import page_policy
from daas_hub.portal.session_names import SESSION_NAME

#: What the proxy shows where no hub answers; it loads itself again every five seconds.
_UNAVAILABLE = (files("daas_hub") / "proxy_unavailable.html").read_text(encoding="utf-8")
_PERSONAL = "Sessions are personal and cannot be shared."


class TokensHandler(PortalHeaders, TokenPageHandler):
    """`/token`: the access tokens of a person."""


class AdministrationHandler(PortalHeaders, AdminHandler):
    """`/admin`: the hub's own application for administrators."""

    @property
    def content_security_policy(self) -> str:
        """The portal's policy; the hub's application creates its styles in its script."""
        return page_policy(self.settings).replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


class ConsentHandler(PortalHeaders, OAuthAuthorizeHandler):
    """`/api/oauth2/authorize`: asks a user whether a service may identify them."""

    @property
    def content_security_policy(self) -> str:
        """The portal's policy; the form redirects to the service, which may be on another host."""
        return page_policy(self.settings, *self._origin_of_service())

    def _origin_of_service(self) -> tuple[str, ...]:
        """Return the origin of the requested redirect, if any; the hub checks later whether it is the service's own."""
        try:
            address = urlsplit(self.get_query_argument("redirect_uri", ""))
            port = f":{address.port}" if address.port else ""
        except (ValueError, web.HTTPError):
            return ()
        host = address.hostname or ""
        is_plain = host.isascii() and host.replace("-", "").replace(".", "").isalnum()
        return (f"{address.scheme}://{host}{port}",) if address.scheme in ("http", "https") and is_plain else ()


class ProxyErrorPageHandler(PortalHeaders, ProxyErrorHandler):
    """`/error/503` and `/error/404`: what the proxy shows for a session that does not respond, and without routes.

    The browser is at the session's address then, and is sent to the session's page, which says what happened. A session
    that runs is not opened there again by itself: it would not respond, and nothing would end that.

    A proxy without a route for an address was restarted a moment ago, and this hub has not set its routes yet: it is
    the hub that says what does not exist. The page is that of a hub that does not respond, which loads itself again.
    """

    async def get(self, status: str) -> None:
        """Show it; the hub's own page for other addresses."""
        if status == "404":
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(_UNAVAILABLE)
            return
        name = self._session() if status == "503" else ""
        if not name:
            await super().get(status)
            return
        # the page may be on the session's own host name
        portal = (self.settings.get("subdomain_host") or "") + self.hub.base_url
        page = f"{portal}sessions/{name}?unanswered=1"
        self.finish(await self.render_template("unanswered.html", session_page=page))

    def _session(self) -> str:
        """Return the session whose page was requested, if the address is one."""
        prefix = re.escape(self.settings["base_url"])
        asked = self.get_query_argument("url", "").partition("?")[0]
        found = re.fullmatch(f"{prefix}user/[^/]+/({SESSION_NAME})/(?:oauth_callback)?", asked)
        return found[1] if found else ""


class SharesHandler(ServerShareAPIHandler):
    """The hub's API of shares: they can be listed and revoked, but not created."""

    async def post(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: a session belongs to the person whose account it runs as."""
        raise web.HTTPError(403, _PERSONAL)


class ShareCodesHandler(ServerShareCodeAPIHandler):
    """The hub's API of share codes: they can be listed and revoked, but not created."""

    async def post(self, *args: Any, **kwargs: Any) -> None:
        """Refuse, as above."""
        raise web.HTTPError(403, _PERSONAL)


class AcceptShareHandler(PortalHandler):
    """`/accept-share`: a code that was created before the portal was installed is refused, too."""

    @web.authenticated
    async def get(self) -> None:
        """Refuse the code."""
        await self._refuse()

    @web.authenticated
    async def post(self) -> None:
        """Refuse the code."""
        await self._refuse()

    async def _refuse(self) -> None:
        await self.show(
            "message.html",
            status=403,
            heading="This session cannot be shared",
            text="Sessions are personal: each one runs as the account of its owner.",
            advice=["Members of a proposal share its processed data, and each of them can launch a session on it."],
        )


class UserHandler(UserAPIHandler):
    """The hub's API of one user, who is not deleted while a session runs."""

    @needs_scope("delete:users")  # type: ignore[untyped-decorator]
    async def delete(self, user_name: str) -> None:
        """Delete the user; the hub itself looks at the unnamed server only, and fails with 500 if another one runs."""
        user = self.find_user(user_name)
        if user is not None and any(spawner.active for spawner in user.spawners.values()):
            raise web.HTTPError(400, "This user has running sessions. Stop them first.")
        await super().delete(user_name)


class TokenOwnerHandler(TokenAPIHandler):
    """`/api/authorizations/token`: deprecated by JupyterHub 2.0, which answers some requests to it with 500."""

    async def get(self, token: str = "") -> None:
        """Return the owner of a token."""
        if not token:
            raise web.HTTPError(404)
        await maybe_future(super().get(token))

    async def post(self, token: str = "") -> None:
        """Refuse: JupyterHub removed it."""
        await super().post()
