"""UmbrellaAuthenticator: a login through UmbrellaID or any OpenID provider becomes an identity and an account.

A login method verifies the login (`login_methods`); here its identity is mapped to a person (`people`), who may sign in
or not (`user_lists`), at login and at every refresh. `revocation` ends the sessions of users who lost their account.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, NoReturn

from jupyterhub.handlers import BaseHandler
from tornado import web
from traitlets.config import Config

from daas_hub.accounts import Identity
from daas_hub.accounts.elevation import Proof
from daas_hub.authenticators.account_linking.handlers import begin_link, link_handlers
from daas_hub.authenticators.admin_elevation import OVER, Elevated, take_admin
from daas_hub.authenticators.crypt_keys import require_keys
from daas_hub.authenticators.doctor.device_login import sign_in_once
from daas_hub.authenticators.doctor.logins import examine_logins
from daas_hub.authenticators.errors import Blocked, LoginExpired, TooManyAttempts, WrongPassword
from daas_hub.authenticators.factories import linking_of, methods_of, people_of, require_applicable, user_lists_of
from daas_hub.authenticators.login_ends import LoginEndsMixin
from daas_hub.authenticators.login_methods import Login, LoginMethod, method_name
from daas_hub.authenticators.login_outcomes import note_login, refusals_noted
from daas_hub.authenticators.logout import LoggedOut, LoggedOutHandler, LogoutHandler, SignOutEverywhereHandler
from daas_hub.authenticators.password.method import NAME as PASSWORDS
from daas_hub.authenticators.revocation.hub_users import RunningUsers
from daas_hub.authenticators.revocation.logins import revoke_permissions
from daas_hub.authenticators.revocation.memberships import Memberships
from daas_hub.authenticators.settings import LoginSettings, names_accounts
from daas_hub.authenticators.stock import stock_problems
from daas_hub.authenticators.stored_model import is_stored
from daas_hub.authenticators.user_lists import Person
from daas_hub.errors import ConfigurationError, DaasError, ErrorKind, NoAccount, Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.findings import Finding
from daas_hub.portal import portal_problems
from daas_hub.portal.hub_requests import guard_routes
from daas_hub.portal.logout_reason import keep_logout_reason, take_logout_reason
from daas_hub.proxy_guard import guard_environment
from daas_hub.stock_settings import value_of


class UmbrellaAuthenticator(LoginEndsMixin, LoginSettings):
    """Sign in with UmbrellaID or any OpenID provider; its endpoints come from the discovery document."""

    #: The auth_state of its users holds their identity, which spawners read at every launch.
    provides_identity = True

    def __init__(self, **kwargs: Any) -> None:
        # first, because base classes raise errors of their own for settings that are refused here
        for problem in self._stock_problems(kwargs.get("config") or getattr(kwargs.get("parent"), "config", Config())):
            raise problem
        super().__init__(**kwargs)
        require_applicable(self)
        #: Every login method by its name, in the order of the login page.
        self.methods = methods_of(self, lambda: self.people.claims)
        require_keys(self.config)
        self._linking = linking_of(self, self.methods)
        self.people = people_of(self, self.methods)
        self.user_lists = user_lists_of(self, self.methods)
        self.enable_auth_state = True
        if not self.portal and PASSWORDS not in self.methods and len(self.methods) == 1:
            # the button of the hub's own login page
            self.login_service = next(iter(self.methods.values())).title
        self._elevated = Elevated(lambda: self.people.elevation, self._trusted_proxies)
        self._asked: dict[str, float] = {}
        self._memberships: Memberships | None = None

    # -- check-config and doctor ----------------------------------------------------------------------------------

    @classmethod
    def configuration_problems(cls, config: Config, facility: Facility) -> list[DaasError]:
        """Return inherited settings that do not apply, and contradictions between logins and accounts."""
        problems: list[DaasError] = [*cls._stock_problems(config)]
        if value_of(cls, config, "portal"):
            problems += portal_problems(config)
        try:
            linking = cls(config=config)._linking
        except DaasError:
            return problems  # check-config reports it when it looks at the authenticator alone
        try:
            if linking is not None:
                linking.require_source(facility)
        except ConfigurationError as problem:
            problems.append(problem)
        return problems

    @classmethod
    def _stock_problems(cls, config: Any) -> list[ConfigurationError]:
        has_accounts = bool(value_of(cls, config, "portal")) or names_accounts(config)
        return stock_problems(cls, config, has_accounts=has_accounts)

    @property
    def issuers(self) -> tuple[str, ...]:
        """The issuers whose logins are accepted, in the order of the login page."""
        return tuple(method.issuer for method in self.methods.values())

    async def examine(self, facility: Facility, access_token: str = "") -> list[Finding]:
        """Check whether people can sign in, for `daas-hub doctor`; the token is one of the first provider."""
        return await examine_logins(
            self.methods,
            self._linking.passwords if self._linking is not None else None,
            facility,
            public_url=str(self.config.JupyterHub.get("public_url", "") or ""),
            access_token=access_token,
        )

    async def test_login(
        self, facility: Facility, method: str, show: Callable[[str], None]
    ) -> tuple[Identity | None, list[Finding]]:
        """Ask a user to sign in without the portal's pages, for `daas-hub doctor --login`."""
        return await sign_in_once(self.methods, method, facility.claims, show)

    # -- login methods ------------------------------------------------------------------------------------------------

    def login_methods(self, base_url: str) -> list[dict[str, str]]:
        """Return what the login page offers: names, titles, and where their buttons lead."""
        return [
            {"name": method.name, "title": method.title, "url": f"{base_url.rstrip('/')}{method.handlers()[0][0]}"}
            for method in self.methods.values()
        ]

    def title_of(self, issuer: str) -> str:
        """Return the title of the login method with this issuer; "" if there is none."""
        return next((method.title for method in self.methods.values() if method.issuer == issuer), "")

    def login_url(self, base_url: str) -> str:
        """Return where a login begins: at the only login method, or on the page that offers all of them, or a form."""
        methods = self.login_methods(base_url)
        is_one = len(methods) == 1 and methods[0]["name"] != PASSWORDS
        return methods[0]["url"] if is_one else f"{base_url.rstrip('/')}/login"

    def get_custom_html(self, base_url: str) -> str:
        """Return what the hub's own login page shows instead of one button or form; "" for the portal's page."""
        if self.portal or self.login_url(base_url) == self.login_methods(base_url)[0]["url"]:
            return ""
        return f"{{% set hub_url = {base_url!r} %}}{(files('daas_hub.templates') / 'hub_login.html').read_text()}"

    def method_of(self, state: Mapping[str, Any]) -> LoginMethod | None:
        """Return the login method of a stored login, if it is still configured."""
        method = self.methods.get(method_name(state))
        return method if method is not None and method.knows(state) else None

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Return the handlers of the login methods, and the portal's pages where they are used."""
        self._app = app
        guard_routes(app)
        # for the proxy, which the hub starts with its own environment
        os.environ.update(guard_environment(self.trusted_proxy, getattr(app, "hub_prefix", "/hub/")))
        if self.recheck_s:
            self._running = RunningUsers(app, self, every_s=self.recheck_s)
            self._running.begin()
            if self.portal:
                self._memberships = Memberships(app, self.facility, every_s=self.recheck_s)
                self._memberships.begin()
        of_logins = [handler for method in self.methods.values() for handler in method.handlers()]
        of_logins.append((r"/logout", LogoutHandler))
        if not self.portal:
            return [*of_logins, (r"/logged-out", LoggedOut)]
        from daas_hub.portal import portal_handlers

        pages = portal_handlers(app)
        if self._linking is not None:
            self._linking.require_source(self.facility)
        of_logins += [(r"/logged-out", LoggedOutHandler), (r"/daas/sign-out", SignOutEverywhereHandler)]
        return [*of_logins, *link_handlers(self._linking), *pages]

    # -- a login ------------------------------------------------------------------------------------------------

    async def authenticate(self, handler: BaseHandler, data: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Return the hub's model of a login that a method has verified.

        Raises:
            NoAccount: the login is valid, and the facility knows no account for it.
            HTTPError: with a message for the user.
        """
        if not hasattr(handler, "finish_login"):
            return None  # a form that was posted to the hub's own login page
        try:
            with refusals_noted(handler.method.name, self.address_of(handler)):
                login = await handler.finish_login()
                try:
                    person = await self._admitted(login.identity)
                except NoAccount as refusal:
                    refusal.login = login  # for the page that says what to do next
                    raise
        except (NoAccount, WrongPassword, TooManyAttempts):
            raise
        except Refused as refusal:
            self.log.warning("login refused (%s): %s", refusal.reason, refusal)
            raise web.HTTPError(403, str(refusal)) from None
        except SourceUnavailable as problem:
            self.log.error("login not possible: %s %s", problem, problem.detail)
            raise web.HTTPError(503, str(problem)) from None
        take_logout_reason(handler)
        proof = self._elevated.proof_of(login, handler)
        model = self._model(handler.method, login, person, proof)
        note_login(handler.method.name, model, person.name, self.address_of(handler))
        if model["admin"] and self.people.elevation:
            # the hub's flag belongs to the person: a browser left open elsewhere must not become an administrator's
            await self._end_others(model["name"])
        return model

    def check_blocked_users(self, username: str, authentication: Any = None) -> bool:
        """Return True: `authenticate` has checked the list, by the names of accounts."""
        return True

    async def check_allowed(self, username: str, auth_model: Any) -> bool:
        """Return True: `authenticate` has checked the lists, by the names of accounts."""
        return True

    async def _admitted(self, identity: Identity) -> Person:
        """Return who it is, if they may sign in.

        Raises:
            NoAccount, Refused, SourceUnavailable: with a message for the user.
        """
        person = await self.people.person_of(identity)
        # with allow_existing_users, the base class keeps the names of the hub's users here
        exists = self.allow_existing_users and bool({person.hub_name, person.name.lower()} & self.allowed_users)
        try:
            self.user_lists.require_allowed(person, exists=exists)
        except Refused as refusal:
            self.log.warning("%s (%s of %s): %s", person.name, identity.subject, identity.issuer, refusal.reason)
            raise
        return person

    async def require_known(self, identity: Identity) -> None:
        """Check that a person still has an account and is not blocked.

        Raises:
            NoAccount, Blocked, Refused, SourceUnavailable: as at a login.
        """
        self.user_lists.require_not_blocked(await self.people.person_of(identity))

    def _model(self, method: LoginMethod, login: Login, person: Person, proof: Proof) -> dict[str, Any]:
        elevation = self._elevated.decide(person.hub_name, self.user_lists.roles_of(person), proof)
        more = self._elevated.withheld(elevation, method)
        uid = f" (uid {person.uid})" if person.uid is not None else ""
        self.log.info("login %s through %s is account %s%s", person.hub_name, method.name, person.name, uid)
        model = {
            "name": person.hub_name,
            "admin": "admin" in elevation.roles,
            "auth_state": login.as_state(method.name) | {"proof": proof.as_state()},
            "user_info": {"display_name": person.display_name or person.name, **_end_of(person), **more},
        }
        return model | {"groups": sorted(person.groups)} if self.manage_groups else model

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

    # -- later --------------------------------------------------------------------------------------------------

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """Verify a login again; False ends it (the account is gone, the provider or a list says no).

        If provider or facility do not respond, the login stays as it is. A launch asks the facility again in any case,
        and is refused if that does not respond.
        """
        try:
            model = await self.ask_again(user)
            return model if isinstance(model, bool) else is_stored(self, user, model) or model
        except SourceUnavailable as problem:
            # an outage is logged once, by the circuit breaker
            level = logging.INFO if problem.kind == ErrorKind.CIRCUIT_OPEN else logging.ERROR
            self.log.log(level, "login of %s could not be refreshed: %s %s", user.name, problem, problem.detail)
            return True
        except Refused as refusal:
            self.log.warning("login of %s ended: %s", user.name, refusal)
            if isinstance(refusal, Blocked):
                await self.end_everything(user)
                revoke_permissions(user)
            if isinstance(refusal, NoAccount | Blocked) and self._running is not None:
                self._running.soon()
            keep_logout_reason(handler, user, refusal.message)
            # the next request of this login asks again, instead of relying on an earlier answer
            user._auth_refreshed = None
            return False

    async def ask_again(self, user: Any) -> bool | dict[str, Any]:
        """Return the hub's model of a login, verified again, or True if that has just been done.

        One request per person at a time: a refresh token may be valid for one use only.

        Raises:
            NoAccount, Refused, SourceUnavailable: as at a login.
        """
        wanted_at = time.monotonic()
        if user.admin:
            # without asking the provider
            state = await user.get_auth_state() or {}
            if self._elevated.has_run_out(user, Proof.from_state(state.get("proof"))):
                await self._run_out(user)
        async with self._asking[user.name]:
            if self._asked.get(user.name, 0.0) > wanted_at:
                return True  # another request has done it while this one waited
            state = await user.get_auth_state() or {}
            method = self.method_of(state)
            if method is None:
                raise LoginExpired(self._why_unknown(state), remedy="Please sign in again.")
            proof = Proof.from_state(state.get("proof"))
            login = await method.refresh(state)
            # stored at once, whatever the facility says: the tokens it replaces may be invalid already; what
            # post_auth_hook has added stays
            new = state | login.as_state(method.name) | {"proof": proof.as_state()}
            if new != state:
                await user.save_auth_state(new)
            self._asked[user.name] = time.monotonic()
        person = await self._admitted(login.identity)
        if person.hub_name != user.name:
            raise LoginExpired("The login provider now sends another name for you.", remedy="Please sign in again.")
        if self._elevated.decide(user.name, self.user_lists.roles_of(person), proof).over:
            await self._run_out(user)
        model = self._model(method, login, person, proof)
        # it is stored already, and a logout meanwhile must not be undone
        del model["auth_state"]
        return model

    async def _run_out(self, user: Any) -> NoReturn:
        """End a login that is too old for an elevated role; remaining tokens lose the administrator's permissions."""
        await self.end_logins(user)
        take_admin(user)
        raise LoginExpired(OVER, remedy="Please sign in again.")

    def address_of(self, handler: BaseHandler) -> str:
        """Return the client's address, as far as proxies are trusted; "" if it is not known."""
        return self._elevated.address_of(handler)

    def _trusted_proxies(self) -> list[str]:
        return list(self._app.trusted_downstream_ips) if self._app is not None else []

    def _why_unknown(self, state: Mapping[str, Any]) -> str:
        if state.get("ended") or not state:
            return "The login was ended."
        return f"The login method {method_name(state)[:40]!r} is no longer in the configuration."


def _end_of(person: Person) -> dict[str, str]:
    """Return the end date of an account, for pages that do not ask for the account."""
    return {} if person.end is None else {"access_ends": person.end.isoformat()}
