"""The page for a valid login that has no account at the facility: what to do next."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers import BaseHandler

from daas_hub.authenticators.login_methods import Login
from daas_hub.errors import NoAccount
from daas_hub.facility import Facility
from daas_hub.portal.base import CONTENT_SECURITY_POLICY


class NoAccountMixin(BaseHandler):
    """What every handler has in which a login ends."""

    @property
    def content_security_policy(self) -> str:
        """The policy of our pages: this is one, wherever the login ended."""
        return CONTENT_SECURITY_POLICY

    def wanted_afterwards(self) -> str:
        """Return the address that was asked for before the login, as it came."""
        return self.get_argument("next", "")

    async def show_no_account(self, refusal: NoAccount) -> None:
        """Answer with the page."""
        identity = refusal.login.identity if isinstance(refusal.login, Login) else None
        facility = Facility.of(self.authenticator.config)
        advice = [str(refusal.remedy)]
        actions: list[dict[str, Any]] = [{"title": "Sign in as somebody else", "url": self.settings["login_url"]}]
        if facility.user_office_url:
            actions.insert(0, {"title": "Go to the user office", "url": facility.user_office_url})
        if identity is not None:
            advice.append(f"Tell them this login: {identity.subject} of {identity.issuer}.")
        link = self.authenticator.offer_link(self, refusal)
        if link:
            actions.insert(0, {"title": "Connect my facility account", "url": link})
            advice.insert(0, "If you have an account of this facility already, you can connect it with this login.")
        name = identity.display_name if identity and identity.display_name else "You"
        self.set_header("Cache-Control", "no-store")
        self.set_status(403)
        self.finish(
            await self.render_template(
                "message.html",
                title="No facility account",
                heading="Your login works, but you have no account here yet",
                text=f"{name}: {refusal.message}",
                advice=advice,
                actions=actions,
            )
        )
