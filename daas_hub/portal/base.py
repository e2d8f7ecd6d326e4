"""What the portal's handlers share: headers, the person and their account, and error messages."""

from __future__ import annotations

from typing import Any

from tornado import web

from daas_hub.accounts import Account, Identity
from daas_hub.errors import DaasError, NoAccount
from daas_hub.facility import Facility
from daas_hub.portal.audiences import Audiences
from daas_hub.portal.authenticator import OffersLogins
from daas_hub.portal.hub_requests import HubRequest, page_policy
from daas_hub.portal.template_globals import person_of


class PortalHeaders(HubRequest):
    """The policy of a page; also for handlers of the hub whose pages use the portal's layout."""

    @property
    def content_security_policy(self) -> str:
        """The policy of our pages: nothing inline, nothing from another host."""
        return page_policy(self.settings)


class PortalHandler(PortalHeaders):
    """Base of the portal's handlers."""

    @property
    def facility(self) -> Facility:
        """This facility."""
        return Facility.of(self.config)

    @property
    def hub_url(self) -> str:
        """The hub's prefix, with a slash at its end."""
        return str(self.hub.base_url)

    async def identity(self) -> Identity:
        """Return the identity of the current user.

        Raises:
            HTTPError: 403, there is no identity for this login.
        """
        identity = await self.facility.identity_of_user(self.current_user)
        if identity is None:
            raise web.HTTPError(403, "Your login is no longer known. Please sign out and in again.")
        return identity

    async def account(self) -> Account:
        """Return the account of the current user, from its source."""
        account = await self.facility.account_of(await self.identity())
        Audiences.of(self.db).note(self.current_user, account)
        return account

    def title_of(self, issuer: str) -> str:
        """Return the title of a provider on the login page, or its issuer if the configuration no longer has it."""
        known = self.authenticator.title_of(issuer) if isinstance(self.authenticator, OffersLogins) else ""
        return known or issuer

    def person(self, account: Account) -> dict[str, Any] | None:
        """Return what the header of a page shows about a person."""
        return person_of(self.current_user, account)

    async def show(self, template: str, *, status: int = 200, **values: Any) -> None:
        """Render a template and finish the response."""
        self.set_status(status)
        html = await self.render_template(template, **values)
        self.finish(html)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log a refusal of this package in one line: it is no error of the hub."""
        if isinstance(value, DaasError):
            self.log.warning("%s: %s", self.request.path, value)
        else:
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Show errors of this package with their own message, and all others as the hub does."""
        problem = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(problem, DaasError):
            status = 403 if isinstance(problem, NoAccount) else 503
            shown = str(problem) if problem.for_user else "The portal is not configured for this."
            error = web.HTTPError(status, shown)
            self.set_status(status)
            kwargs["exc_info"] = (web.HTTPError, error, problem.__traceback__)
            status_code = status
        super().write_error(status_code, **kwargs)
