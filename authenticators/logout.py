"""Signing out: here first, then at the login method; and the page that says so."""

from __future__ import annotations

from typing import Any

from oauthenticator.oauth2 import OAuthLogoutHandler

from daas_hub.authenticators.oidc.handlers import page_after_logout
from daas_hub.errors import SourceUnavailable
from daas_hub.portal.base import PortalHandler


class LogoutHandler(OAuthLogoutHandler):
    """Ends the login of this browser, then sends it to sign out at the provider, which sends it back."""

    async def get(self) -> None:
        """Sign out."""
        # asked for before the cookie is gone; who is not logged in signs out of nothing
        farewell = await self._farewell() if self.current_user else ""
        await self.default_handle_logout()
        if not self.current_user:
            # a login that is stale just now may hold again tomorrow: the cookie goes in any case
            self.clear_login_cookie()
        await self.handle_logout()
        self._jupyterhub_user = None
        self.redirect(farewell or f"{self.hub.base_url}logged-out")

    async def _farewell(self) -> str:
        authenticator = self.authenticator
        state: dict[str, Any] = await self.current_user.get_auth_state() or {}
        method = authenticator.method_of(state) if authenticator.logout_at_provider else None
        if method is None:
            return ""
        back = page_after_logout(self, getattr(method, "callback", ""))
        try:
            return str(await method.farewell(state, back))
        except SourceUnavailable as problem:
            self.log.error("signed out here only, not at %s: %s %s", method.name, problem, problem.detail)
            return ""


class LoggedOutHandler(PortalHandler):
    """The page that tells one is signed out."""

    async def get_current_user(self) -> None:
        """Whoever may be logged in in this browser meanwhile is not asked for: the page is the same for all."""
        self._jupyterhub_user = None

    async def get(self) -> None:
        """Show it."""
        await self.show("logout.html", title="Signed out")
