"""The page for a valid login that has no account at the facility: what to do next."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web

from daas_hub.authenticators.login_methods import Login
from daas_hub.errors import AccountRefused, NoAccount
from daas_hub.portal.hub_requests import page_policy


class NoAccountMixin(BaseHandler):
    """Base of every handler that completes a login."""

    @property
    def content_security_policy(self) -> str:
        """The policy of the portal's pages; the hub's own need theirs."""
        if self.authenticator.portal:
            return page_policy(self.settings)
        return str(BaseHandler.content_security_policy.fget(self))

    def wanted_afterwards(self) -> str:
        """Return the `next` address of this login, not validated."""
        return self.get_argument("next", "")

    async def show_no_account(self, refusal: NoAccount) -> None:
        """Respond with the page."""
        if not self.authenticator.portal:
            raise web.HTTPError(403, str(refusal))
        identity = refusal.login.identity if isinstance(refusal.login, Login) else None
        facility = self.authenticator.facility
        advice = [str(refusal.remedy)]
        actions: list[dict[str, Any]] = [{"title": "Sign in as a different user", "url": self.settings["login_url"]}]
        if facility.user_office_url:
            actions.insert(0, {"title": "Go to the user office", "url": facility.user_office_url})
        if identity is not None:
            advice.append(f"Your login, for the user office: {identity.subject} at {identity.issuer}.")
        link = self.authenticator.offer_link(self, refusal)
        if link:
            actions.insert(0, {"title": "Connect my facility account", "url": link})
            advice.insert(0, "If you already have an account at this facility, you can connect it with this login.")
        name = identity.display_name if identity and identity.display_name else "You"
        self.set_header("Cache-Control", "no-store")
        self.set_status(403)
        # an account that exists and may not be used: disabled or expired in the directory, out of range
        is_refused = isinstance(refusal, AccountRefused)
        self.finish(
            await self.render_template(
                "message.html",
                title="Account not usable" if is_refused else "No facility account",
                heading="Your login works, but your account cannot be used here"
                if is_refused
                else "Your login works, but you have no account here yet",
                text=f"{name}: {refusal.message}",
                advice=advice,
                actions=actions,
            )
        )
