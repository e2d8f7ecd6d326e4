"""The login method with a name and a password of the facility: a form on the login page, off by default.

A password is passed to the facility's source and forgotten: it is in no log, no cookie and no auth_state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web
from tornado.httputil import url_concat

from daas_hub.accounts.passwords import MAX_NAME, PasswordSource, can_be_asked
from daas_hub.accounts.refusals import AccountClosed
from daas_hub.authenticators.errors import TooManyAttempts, WrongPassword
from daas_hub.authenticators.fixed_lifetime import FixedLifetime
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.no_account import NoAccountMixin
from daas_hub.authenticators.password.rate_limit import AttemptLimiter
from daas_hub.errors import AccountRefused, NoAccount, Refused
from daas_hub.portal.login_page import LoginPageHandler

NAME = "password"


class PasswordMethod(FixedLifetime):
    """The facility's passwords, as a login method."""

    def __init__(
        self,
        source: PasswordSource,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(NAME, source.title, source.issuer, hours=source.hours, clock=clock)
        self.source = source
        self.attempts = AttemptLimiter(steady, max_of_name=source.max_failures, window_s=source.failures_window_s)

    def handlers(self) -> list[tuple[Any, ...]]:
        """Return the handler of the one address to which the form is posted."""
        return [(r"/password_login", PasswordLoginHandler, {"method": self})]

    async def login_of(self, name: str, password: str, address: str) -> Login:
        """Return the login that a name and a password prove.

        Raises:
            WrongPassword: the name or the password is wrong, or a correct password may not be used.
            TooManyAttempts: the next attempt must wait.
            SourceUnavailable: the source does not respond.
        """
        name = name.strip()
        wait = self.attempts.begin(name[:MAX_NAME], address)
        if wait > 0:
            raise TooManyAttempts(wait)
        try:
            subject = await self.source.check(name, password) if can_be_asked(name, password) else ""
        except AccountClosed as closed:
            # the password is correct: its owner reads why it is of no use
            raise WrongPassword(closed.message, remedy=closed.remedy) from None
        except AccountRefused:
            subject = ""
        except BaseException:
            self.attempts.unanswered(name, address)
            raise
        if not subject:
            raise WrongPassword("The name or the password is wrong.", remedy="Please try again.")
        self.attempts.succeeded(name, address)
        return self.signed_in(subject)


def typed(handler: BaseHandler) -> tuple[str, str]:
    """Return the name and the password of a form, as typed.

    Raises:
        WrongPassword: one of them is missing or duplicated.
    """
    names = handler.get_body_arguments("username", strip=False)
    passwords = handler.get_body_arguments("password", strip=False)
    if len(names) != 1 or len(passwords) != 1:
        raise WrongPassword("The name or the password is missing.", remedy="Please try again.")
    return names[0], passwords[0]


class PasswordLoginHandler(NoAccountMixin, LoginPageHandler):
    """The address to which the form on the login page is posted."""

    def initialize(self, method: PasswordMethod) -> None:
        """Take the login method."""
        self.method = method

    async def get(self) -> None:
        """Redirect to the page with the form."""
        self.redirect(url_concat(f"{self.hub.base_url}login", {"next": self.get_argument("next", "")}))

    async def post(self) -> None:
        """Sign in the user if the source accepts the password; the hub has checked the XSRF token already."""
        self.set_header("Cache-Control", "no-store")
        try:
            user = await self.login_user()
        except NoAccount as refusal:
            await self.show_no_account(refusal)
            return
        except TooManyAttempts as refusal:
            self.set_header("Retry-After", str(refusal.wait_s))
            await self._again(429, refusal)
            return
        except WrongPassword as refusal:
            await self._again(401, refusal)
            return
        if user is None:
            raise web.HTTPError(403, "You could not be signed in.")
        self.redirect(self.get_next_url(user), status=303)

    async def finish_login(self) -> Login:
        """Return the login that this form proves; called by the authenticator.

        Raises:
            Refused, SourceUnavailable: with a message for the user.
        """
        name, password = typed(self)
        address = self.authenticator.address_of(self)
        try:
            return await self.method.login_of(name, password, address)
        except Refused as refusal:
            # the name is not logged: it may be a password that was typed in the wrong field
            self.log.warning("password login from %s: %s", address or "an unknown address", refusal.reason)
            raise

    async def _again(self, status: int, refusal: Refused) -> None:
        self.set_status(status)
        self.finish(await self._render(login_error=str(refusal)))
