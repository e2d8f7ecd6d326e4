"""The pages on which a login is connected with an account, and those that show and remove what was connected."""

from __future__ import annotations

import datetime
from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web

from daas_hub.accounts.sources.link_store import Link, LinkStore
from daas_hub.audit.events import record_account_link
from daas_hub.authenticators.account_linking.linking import Linking, Pending
from daas_hub.authenticators.errors import TooManyAttempts, WrongPassword
from daas_hub.authenticators.login_methods import Login, LoginMethod
from daas_hub.authenticators.password.method import typed
from daas_hub.errors import Refused, SourceUnavailable
from daas_hub.portal.base import PortalHandler
from daas_hub.portal.views import day_of_epoch

COOKIE = "daas-link"


def begin_link(handler: BaseHandler, linking: Linking, login: Login, method: LoginMethod, wanted: str) -> str:
    """Allow this browser, and no other, to connect a login; return the address of the page for it."""
    path = f"{handler.hub.base_url}link"
    number = linking.waiting.add(login, method, wanted)
    handler.set_cookie(
        COOKIE, number, path=path, httponly=True, samesite="Lax", secure=handler.request.protocol == "https"
    )
    return path


class LinkPage(PortalHandler):
    """Base of the pages that connect a login. Nobody is signed in on them: the number in the cookie counts."""

    def initialize(self, linking: Linking) -> None:
        """Take the linking."""
        self.linking = linking

    @property
    def number(self) -> str:
        """The number in this browser's cookie; "" if there is none, or two: then one of them was planted."""
        found = []
        for header in self.request.headers.get_list("Cookie"):
            for part in header.split(";"):
                name, _, value = part.strip().partition("=")
                if name == COOKIE:
                    found.append(value)
        return found[0] if len(found) == 1 else ""

    def pending(self) -> Pending | None:
        """Return the login that this browser may connect."""
        number = self.number
        return self.linking.waiting.get(number) if number else None

    def forget(self) -> None:
        """Discard the pending login of this browser."""
        self.linking.waiting.drop(self.number)
        self.clear_cookie(COOKIE, path=f"{self.hub.base_url}link")

    async def show_nothing(self) -> None:
        """Say that there is nothing to connect, and what to do first."""
        await self.show(
            "message.html",
            status=404,
            title="Nothing to connect",
            heading="There is nothing to connect here",
            text="You have not signed in with this browser in the last ten minutes, or are connected already.",
            advice=["Sign in with your new login first. If it has no account here, you can then connect it."],
            actions=[{"title": "Sign in", "url": self.settings["login_url"]}],
        )

    async def show_step(self, pending: Pending, *, problem: str = "", status: int = 200) -> None:
        """Show the current step: the form for the account's password, or login and account for review."""
        identity, proved = pending.login.identity, pending.proved
        await self.show(
            "link.html",
            status=status,
            title="Connect your login",
            problem=problem,
            login={
                "title": pending.method.title,
                "name": identity.display_name,
                "issuer": identity.issuer,
                "subject": identity.subject,
            },
            passwords_title=self.linking.passwords.title,
            account=proved.account if proved else None,
            shown=proved.shown if proved else "",
        )


class LinkHandler(LinkPage):
    """`/link`: shows the login, and takes the account's password."""

    async def get(self) -> None:
        """Show the current step."""
        pending = self.pending()
        if pending is None:
            await self.show_nothing()
        else:
            await self.show_step(pending)

    async def post(self) -> None:
        """Take the account's name and password."""
        pending = self.pending()
        if pending is None:
            await self.show_nothing()
            return
        address = self.authenticator.address_of(self)
        try:
            name, password = typed(self)
            await self.linking.prove_account(pending, name, password, address)
        except TooManyAttempts as refusal:
            self.set_header("Retry-After", str(refusal.wait_s))
            await self._refused(pending, refusal, 429, address)
        except WrongPassword as refusal:
            await self._refused(pending, refusal, 401, address)
        except Refused as refusal:
            await self._refused(pending, refusal, 403, address)
        except SourceUnavailable as problem:
            self.log.error("connecting a login: %s %s", problem, problem.detail)
            await self.show_step(pending, problem=str(problem), status=503)
        else:
            self.redirect(f"{self.hub.base_url}link", status=303)

    async def _refused(self, pending: Pending, refusal: Refused, status: int, address: str) -> None:
        # the name is not logged: it may be a password that was typed in the wrong field
        self.log.warning("connecting a login from %s: %s", address or "an unknown address", refusal.reason)
        await self.show_step(pending, problem=str(refusal), status=status)


class LinkConfirmHandler(LinkPage):
    """`/link/confirm`: connects the login with the account."""

    @property
    def method(self) -> LoginMethod:
        """The login method that verified the login; read by the authenticator."""
        return self._pending.method

    async def finish_login(self) -> Login:
        """Return the login that was verified before; called by the authenticator."""
        return self._pending.login

    async def post(self) -> None:
        """Connect, and sign in."""
        pending = self.pending()
        if pending is None:
            await self.show_nothing()
            return
        try:
            link = await self.linking.connect(pending, self.get_body_argument("shown", ""))
        except Refused as refusal:
            await self.show_step(pending, problem=str(refusal), status=409)
            return
        except SourceUnavailable as problem:
            self.log.error("connecting a login: %s %s", problem, problem.detail)
            await self.show_step(pending, problem=str(problem), status=503)
            return
        self.log.info(
            "login %s (%r of %s) was connected with account %s (uid %d)",
            link.identity.hub_name,
            link.subject,
            link.issuer,
            link.account,
            link.uid,
        )
        address = self.authenticator.address_of(self)
        record_account_link(
            "connected", link.identity.hub_name, link.account, issuer=link.issuer, subject=link.subject, address=address
        )
        self._pending = pending
        self.forget()
        user = await self.login_user()
        if user is None:
            raise web.HTTPError(403, "Your login was connected. Please sign in with it.")
        self.redirect(self._validate_next_url(pending.wanted) or f"{self.hub.base_url}home", status=303)


class LinkCancelHandler(LinkPage):
    """`/link/cancel`: cancels, or returns to choose another account."""

    async def post(self) -> None:
        """Discard the account, or the pending login."""
        pending = self.pending()
        if pending is not None and self.get_body_argument("only", "") == "account":
            pending.proved = None
            self.redirect(f"{self.hub.base_url}link", status=303)
            return
        self.forget()
        self.redirect(f"{self.hub.base_url}login", status=303)


class LoginsHandler(PortalHandler):
    """`/daas/logins`: the logins that are connected with the user's account."""

    @property
    def store(self) -> LinkStore:
        """The store of connected logins.

        Raises:
            HTTPError: 404, nothing is connected at this facility.
        """
        if self.facility.links is None:
            raise web.HTTPError(404)
        return self.facility.links.store

    @web.authenticated
    async def get(self) -> None:
        """Show them."""
        await self._show()

    @web.authenticated
    async def post(self) -> None:
        """Remove one that belongs to the user's account; it is signed out immediately."""
        account = await self.account()
        issuer, subject = self.get_body_argument("issuer", ""), self.get_body_argument("subject", "", strip=False)
        mine = {(one.issuer, one.subject): one for one in await self.store.links_of(account.name, account.uid)}
        link = mine.get((issuer, subject))
        if link is None or not await self.store.remove(issuer, subject, account=account.name):
            await self._show(problem="Your account has no such login. It may have been removed already.")
            return
        self.log.info(
            "login %s (%r of %s) is no longer connected with account %s: removed by %s",
            link.identity.hub_name,
            link.subject,
            link.issuer,
            link.account,
            self.current_user.name,
        )
        record_account_link(
            "disconnected",
            self.current_user.name,
            link.account,
            issuer=link.issuer,
            subject=link.subject,
            address=self.authenticator.address_of(self),
        )
        own = link.identity.hub_name == self.current_user.name
        await self.authenticator.link_removed(link.identity)
        self.redirect(f"{self.hub.base_url}{'logged-out' if own else 'daas/logins'}", status=303)

    async def _show(self, *, problem: str = "") -> None:
        account, identity = await self.account(), await self.identity()
        links = await self.store.links_of(account.name, account.uid)
        now = (identity.issuer, identity.subject)
        await self.show(
            "logins.html",
            title="Connected logins",
            active="",
            status=404 if problem else 200,
            person=self.person(account),
            problem=problem,
            may_connect=bool(self.authenticator.linking),
            logins=[_login_view(one, self.title_of(one.issuer), now, self.facility.zone) for one in links],
        )


def _login_view(link: Link, title: str, now: tuple[str, str], zone: datetime.tzinfo) -> dict[str, Any]:
    return {
        "title": title,
        "issuer": link.issuer,
        "subject": link.subject,
        "since": day_of_epoch(link.made_at, zone),
        "is_this_one": (link.issuer, link.subject) == now,
    }


def link_handlers(linking: Linking | None) -> list[tuple[Any, ...]]:
    """Return the handlers for connecting logins, if that is configured.

    Connected logins can be listed and removed even if no more may be added.
    """
    listing: list[tuple[Any, ...]] = [(r"/daas/logins", LoginsHandler)]
    if linking is None:
        return listing
    arguments = {"linking": linking}
    return [
        (r"/link", LinkHandler, arguments),
        (r"/link/confirm", LinkConfirmHandler, arguments),
        (r"/link/cancel", LinkCancelHandler, arguments),
        *listing,
    ]
