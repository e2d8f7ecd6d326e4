"""UmbrellaAuthenticator: a login through UmbrellaID or any OpenID provider becomes an identity and an account.

A login method proves who somebody is (`login_methods`); here the identity is joined with its account, at login and at
every refresh. `revocation` ends the sessions of users who lost their account.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from jupyterhub.handlers import BaseHandler
from tornado import web
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.elevation import Proof
from daas_hub.authenticators.account_linking.handlers import (
    LinkCancelHandler,
    LinkConfirmHandler,
    LinkHandler,
    LoginsHandler,
    begin_link,
)
from daas_hub.authenticators.admin_elevation import OVER, Elevated, take_admin
from daas_hub.authenticators.crypt_keys import require_keys
from daas_hub.authenticators.doctor.checks import examine_passwords, examine_provider
from daas_hub.authenticators.doctor.device_login import sign_in_once
from daas_hub.authenticators.errors import LoginExpired, TooManyAttempts, WrongPassword
from daas_hub.authenticators.login_methods import Login, LoginMethod
from daas_hub.authenticators.logout import LoggedOutHandler, LogoutHandler
from daas_hub.authenticators.oidc.logout_tokens import SignedOut
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.oidc.provider_config import ONLY
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.authenticators.revocation.hub_users import RunningUsers
from daas_hub.authenticators.revocation.logins import end_logins, sessions_of, stop_sessions
from daas_hub.authenticators.settings import LoginSettings
from daas_hub.errors import ConfigurationError, DaasError, NoAccount, Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked
from daas_hub.portal.ended import take_why_it_ended, tell_why_later


class UmbrellaAuthenticator(LoginSettings):
    """Sign in with UmbrellaID or any OpenID provider; a discovery document is all the configuration there is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: Every login method by its name, in the order of the login page.
        self.methods = self.configured_methods()
        require_keys(self.config)
        self._linking = self.configured_linking(self.methods)
        # who may in is decided by whether the facility knows the account, not by a list here
        self.allow_all = True
        self._elevated = Elevated(lambda: Facility.of(self.config).elevation, self._trusted_proxies)
        self.enable_auth_state = True
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: dict[str, float] = {}
        self._app: Any = None
        self._running: RunningUsers | None = None

    @classmethod
    def configuration_problems(cls, config: Config, facility: Facility) -> list[DaasError]:
        """Return what is wrong between the settings of logins and those of accounts."""
        try:
            linking = cls(config=config)._linking
        except DaasError:
            return []  # what is wrong with the logins alone is told when they are looked at alone
        try:
            if linking is not None:
                linking.require_source(facility)
        except ConfigurationError as problem:
            return [problem]
        return []

    @property
    def issuers(self) -> tuple[str, ...]:
        """The issuers whose logins may come, in the order of the login page."""
        return tuple(method.issuer for method in self.methods.values())

    async def examine(self, facility: Facility, access_token: str = "") -> list[Finding]:
        """Find out whether people can sign in: `daas-hub doctor` asks. An access token is asked about at the first."""
        public = str(self.config.JupyterHub.get("public_url", "") or "").rstrip("/")
        findings: list[Finding] = []
        for name, method in self.methods.items():
            if isinstance(method, OIDCMethod):
                told = f"{public}/hub/oauth_callback{'' if name == ONLY else '/' + name}" if public else ""
                token = access_token if method.settings.issuer == self.issuers[0] else ""
                callback = self.callback_of(name) or told
                findings += await examine_provider(method, facility, callback=callback, access_token=token)
            elif isinstance(method, PasswordMethod):
                findings.append(await examine_passwords(method))
            else:
                did = f"looked at the login method {method.title!r} ({method.issuer})"
                findings.append(not_checked("login.other", did, "only a person can try it: sign in once by hand"))
        if self._linking is not None and self._linking.passwords not in self.methods.values():
            findings.append(await examine_passwords(self._linking.passwords))
        return findings

    async def test_login(
        self, facility: Facility, method: str, tell: Callable[[str], None]
    ) -> tuple[Identity | None, list[Finding]]:
        """Have a person sign in without this portal's pages: `daas-hub doctor --login` asks (see `testlogin`)."""
        return await sign_in_once(self.methods, method, facility.claims, tell)

    # -- login methods ------------------------------------------------------------------------------------------------

    def login_methods(self, base_url: str) -> list[dict[str, str]]:
        """Return what the login page offers: titles, and where their buttons lead."""
        return [
            {"name": method.name, "title": method.title, "url": f"{base_url.rstrip('/')}{method.handlers()[0][0]}"}
            for method in self.methods.values()
        ]

    def login_url(self, base_url: str) -> str:
        """Return where a login begins: at the only login method, or on the page that shows all of them, or a form."""
        methods = self.login_methods(base_url)
        is_one = len(methods) == 1 and methods[0]["name"] != PasswordMethod.name
        return methods[0]["url"] if is_one else f"{base_url.rstrip('/')}/login"

    def method_of(self, state: Mapping[str, Any]) -> LoginMethod | None:
        """Return the login method of a login that is kept, if the configuration still has it."""
        method = self.methods.get(str(state.get("method") or ""))
        return method if method is not None and method.knows(state) else None

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Return the handlers of the login methods and, through this door, the portal's pages (design, decision 5)."""
        from daas_hub.portal import portal_handlers

        self._app = app
        if self.recheck_s:
            self._running = RunningUsers(app, self, every_s=self.recheck_s)
            self._running.begin()
        pages = portal_handlers(app)
        if self._linking is not None:
            self._linking.require_source(Facility.of(self.config))
        return [
            *(handler for method in self.methods.values() for handler in method.handlers()),
            (r"/logout", LogoutHandler),
            (r"/logged-out", LoggedOutHandler),
            *self._link_handlers(),
            *pages,
        ]

    def _link_handlers(self) -> list[tuple[Any, ...]]:
        # what was connected can be seen and removed also when nothing more may be
        seen: list[tuple[Any, ...]] = [(r"/daas/logins", LoginsHandler)]
        if self._linking is None:
            return seen
        walk = {"linking": self._linking}
        return [
            (r"/link", LinkHandler, walk),
            (r"/link/confirm", LinkConfirmHandler, walk),
            (r"/link/cancel", LinkCancelHandler, walk),
            *seen,
        ]

    # -- a login ------------------------------------------------------------------------------------------------

    async def authenticate(self, handler: BaseHandler, data: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Take what a login method proved to the hub's model of a login.

        Raises:
            NoAccount: the login is valid, and the facility knows no account for it.
            HTTPError: with the sentence for the user.
        """
        try:
            login = await handler.finish_login()
            try:
                account = await Facility.of(self.config).account_of(login.identity)
            except NoAccount as refusal:
                refusal.login = login  # for the page that tells what to do next
                raise
        except (NoAccount, WrongPassword, TooManyAttempts):
            raise
        except Refused as refusal:
            self.log.warning("login refused: %s", refusal)
            raise web.HTTPError(403, str(refusal)) from None
        except SourceUnavailable as problem:
            self.log.error("login not possible: %s %s", problem, problem.detail)
            raise web.HTTPError(503, str(problem)) from None
        take_why_it_ended(handler)
        proof = self._elevated.proof_of(login, handler)
        model = self._model(handler.method, login, account, proof)
        if model["admin"] and Facility.of(self.config).elevation:
            # the hub's flag is a person's: a browser that was left open elsewhere must not come by it
            await self._end_others(model["name"])
        return model

    async def _end_others(self, name: str) -> None:
        user = self._app.users.get(name) if self._app is not None else None
        if user is not None:
            await self.end_logins(user)

    def _model(self, method: LoginMethod, login: Login, account: Account, proof: Proof) -> dict[str, Any]:
        identity = login.identity
        elevation = self._elevated.decide(identity.hub_name, account.roles, proof)
        more = self._elevated.told(elevation, method)
        self.log.info(
            "login %s through %s is account %s (uid %d)", identity.hub_name, method.name, account.name, account.uid
        )
        return {
            "name": identity.hub_name,
            "admin": "admin" in elevation.roles,
            "auth_state": login.as_state(method.name) | {"proof": proof.as_state()},
            "user_info": {"display_name": account.display_name or identity.display_name or account.name} | more,
        }

    def offer_link(self, handler: BaseHandler, refusal: NoAccount) -> str:
        """Return the address where a login without an account can be connected with one; "" if it cannot."""
        login = refusal.login
        if (
            self._linking is None
            or not isinstance(login, Login)
            or not self._linking.may_begin(refusal, handler.method)
        ):
            return ""
        return begin_link(handler, self._linking, login, handler.method, handler.wanted_afterwards())

    async def link_removed(self, identity: Identity) -> None:
        """End what an identity has that is no longer connected with an account: logins, then sessions."""
        user = self._app.users.get(identity.hub_name)
        if user is not None:
            await self.end_logins(user)
            await stop_sessions(self._app.proxy, user, sessions_of(user))
            if self._running is not None:
                # what was just starting is seen then
                self._running.soon()

    # -- later --------------------------------------------------------------------------------------------------

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """Ask login method and facility again; False ends the login (the account is gone, the provider says no).

        The provider or the facility being out of reach is not an answer: the login stays as it is. A launch asks
        again and refuses then.
        """
        try:
            return await self.ask_again(user)
        except NoAccount as refusal:
            self.log.warning("login of %s ended: %s", user.name, refusal)
            if self._running is not None:
                self._running.soon()
            tell_why_later(handler, user, refusal.message)
            return False
        except Refused as refusal:
            self.log.warning("login of %s ended: %s", user.name, refusal)
            tell_why_later(handler, user, refusal.message)
            return False
        except SourceUnavailable as problem:
            self.log.error("login of %s could not be refreshed: %s %s", user.name, problem, problem.detail)
            return True

    async def ask_again(self, user: Any) -> bool | dict[str, Any]:
        """Ask login method and facility again about a login; give the hub's model of it, or True.

        One question a person at a time: a refresh token may be good for one use only.

        Raises:
            NoAccount, Refused, SourceUnavailable: as at a login.
        """
        wanted_at = time.monotonic()
        if self._elevated.has_run_out(user, Proof.from_state((await user.get_auth_state() or {}).get("proof"))):
            await self._run_out(user)
        async with self._asking[user.name]:
            if self._asked.get(user.name, 0.0) > wanted_at:
                return True  # somebody else asked while this one waited
            state = await user.get_auth_state() or {}
            method = self.method_of(state)
            if method is None:
                raise LoginExpired(self._why_unknown(state), remedy="Please sign in again.")
            proof = Proof.from_state(state.get("proof"))
            login = await method.again(state)
            # kept at once, whatever the facility says: the tokens it replaces may be void already
            await user.save_auth_state(login.as_state(method.name) | {"proof": proof.as_state()})
            self._asked[user.name] = time.monotonic()
        account = await Facility.of(self.config).account_of(login.identity)
        if self._elevated.decide(user.name, account.roles, proof).over:
            await self._run_out(user)
        model = self._model(method, login, account, proof)
        # it is kept already, and a logout that came meanwhile must not be undone
        del model["auth_state"]
        return model

    async def _run_out(self, user: Any) -> NoReturn:
        """End a login that is too old for an elevated role; whatever tokens are left are no administrator's."""
        await self.end_logins(user)
        take_admin(user)
        raise LoginExpired(OVER, remedy="Please sign in again.")

    def address_of(self, handler: BaseHandler) -> str:
        """Return where a request came from, as far as proxies are trusted; "" if that cannot be known."""
        return self._elevated.address_of(handler)

    def _trusted_proxies(self) -> list[str]:
        return list(self._app.trusted_downstream_ips) if self._app is not None else []

    def _why_unknown(self, state: Mapping[str, Any]) -> str:
        if state.get("ended") or not state:
            return "The login was ended."
        return f"The login method {str(state.get('method'))[:40]!r} is no longer in the configuration."

    async def signed_out(self, method: OIDCMethod, who: SignedOut) -> int:
        """End the logins of whoever signed out at their provider; give how many people that were."""
        ended = 0
        if self._linking is not None:
            self._linking.waiting.drop_if(lambda one: _is_meant(method, who, one.login.as_state(one.method.name)))
        for user in list(self._people_of(method, who)):
            if not _is_meant(method, who, await user.get_auth_state() or {}):
                continue
            self.log.info("login of %s ended: signed out at %s", user.name, method.name)
            await self.end_logins(user)
            ended += 1
            if self.stop_sessions_at_logout:
                await stop_sessions(self._app.proxy, user, sessions_of(user))
        return ended

    def _people_of(self, method: OIDCMethod, who: SignedOut) -> list[Any]:
        """Return who may be meant: one, where the subject tells; else everybody with a login."""
        from jupyterhub import orm

        rows = self._app.db.query(orm.User).filter(orm.User.encrypted_auth_state.isnot(None))
        if who.subject and method.settings.subject_claims == ("sub",):
            rows = rows.filter(orm.User.name == Identity(who.issuer, who.subject).hub_name)
        return [self._app.users[row] for row in rows]

    async def end_logins(self, user: Any) -> None:
        """End every login of this person."""
        # a refresh that is under way would keep its tokens afterwards
        async with self._asking[user.name]:
            await end_logins(user)


def _is_meant(method: OIDCMethod, who: SignedOut, state: Mapping[str, Any]) -> bool:
    """Return whether a login is one that a logout token names: by its subject, or by its session at the provider."""
    if not method.knows(state):
        return False
    if who.subject:
        return bool(state.get("sub") == who.subject)
    return bool(who.session and state.get("sid") == who.session)
