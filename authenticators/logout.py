"""Signing out: here first, then at the login method; and the confirmation page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from jupyterhub.handlers import BaseHandler
from oauthenticator.oauth2 import OAuthLogoutHandler
from tornado import web

from daas_hub.authenticators.oidc.handlers import page_after_logout
from daas_hub.errors import SourceUnavailable
from daas_hub.portal.base import PortalHandler
from daas_hub.portal.hub_requests import page_policy
from daas_hub.portal.template_globals import person_of


class SignsOut(OAuthLogoutHandler):
    """Base of the handlers that end logins, and then send the browser to sign out at the provider."""

    _logout_origins: tuple[str, ...] = ()

    async def sign_out(self, *, everywhere: bool = False) -> None:
        """End the login of this browser, or every login of the user with their access tokens."""
        # looked up before the cookie is cleared; without a login there is nothing to sign out of
        at_provider = await self._logout_url() if self.current_user else ""
        if everywhere:
            await self.authenticator.end_everything(self.current_user)
        await self.default_handle_logout()
        if not self.current_user:
            # a login that cannot be refreshed now may be valid again later: the cookie is cleared in any case
            self.clear_login_cookie()
        await self.handle_logout()
        self._jupyterhub_user = None
        # 303: also after a form
        self.redirect(at_provider or f"{self.hub.base_url}logged-out", status=303)

    async def _logout_url(self) -> str:
        authenticator = self.authenticator
        state: dict[str, Any] = await self.current_user.get_auth_state() or {}
        method = authenticator.method_of(state) if authenticator.logout_at_provider else None
        self._logout_origins = method.logout_origins if method is not None else ()
        if method is None:
            return ""
        try:
            return str(await method.logout_url(state, page_after_logout(self, method.callback)))
        except SourceUnavailable as problem:
            self.log.error("signed out here only, not at %s: %s %s", method.name, problem, problem.detail)
            return ""


class LogoutHandler(SignsOut):
    """Ends the login of this browser; the provider sends it back after its own sign-out."""

    async def get(self) -> None:
        """Sign out."""
        await self.sign_out()


class SignOutEverywhereHandler(PortalHandler, SignsOut):
    """`/daas/sign-out`: the choice between signing out here and everywhere."""

    #: Where the form may lead in the end; browsers apply the policy of its page to redirects, too.
    _at_provider: tuple[str, ...] = ()

    @property
    def content_security_policy(self) -> str:
        """The portal's policy; the form ends at the provider, which is on another host."""
        return page_policy(self.settings, *self._at_provider)

    @web.authenticated
    async def get(self) -> None:
        """Show what each of them ends."""
        address = await self._logout_url()
        provider = urlsplit(address)
        if provider.netloc:
            self._at_provider = (f"{provider.scheme}://{provider.netloc}",)
        if address:
            self._at_provider += self._logout_origins
            self.set_header("Content-Security-Policy", self.content_security_policy)
        await self.show("sign_out.html", title="Sign out", person=person_of(self.current_user), active="")

    @web.authenticated
    async def post(self) -> None:
        """Sign out everywhere."""
        self.log.info("%s signs out everywhere", self.current_user.name)
        await self.sign_out(everywhere=True)


class LoggedOut(BaseHandler):
    """The page after signing out: `logout_redirect_url`, or a page of the portal or the hub."""

    async def get_current_user(self) -> None:
        """Set no user: the page is the same for everybody who uses this browser."""
        self._jupyterhub_user = None

    async def get(self) -> None:
        """Redirect, or show the page."""
        if self.authenticator.logout_redirect_url:
            self.redirect(self.authenticator.logout_redirect_url)
        else:
            await self.confirm()

    async def confirm(self) -> None:
        """Show the hub's own page."""
        self.finish(await self.render_template("logout.html"))


class LoggedOutHandler(LoggedOut, PortalHandler):
    """The page after signing out, as one of the portal's."""

    async def confirm(self) -> None:
        """Show the portal's page."""
        await self.show("logout.html", title="Signed out")
