"""UmbrellaAuthenticator: a login through UmbrellaID or any OpenID provider becomes an identity and an account.

What a login proves is the affair of its way in (`ways`, `openidway`); here an identity is joined with its account: at
login, at every refresh, and by the watch over those whose sessions run.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from daas_hub.authenticators.client import LoginOver
from daas_hub.authenticators.elevated import OVER, Elevated, take_admin
from daas_hub.authenticators.endings import end_logins, sessions_of, stop_sessions
from daas_hub.authenticators.examination import examine_way
from daas_hub.authenticators.keeping import require_keys
from daas_hub.authenticators.logouthandlers import LoggedOutHandler, LogoutHandler
from daas_hub.authenticators.logouttokens import SignedOut
from daas_hub.authenticators.openidway import OpenIDWay
from daas_hub.authenticators.passwordway import PasswordWay, TooManyGuesses, WrongPassword
from daas_hub.authenticators.providers import ONLY, ProviderSettings, read_provider, read_providers
from daas_hub.authenticators.proxyway import ProxyWay, read_proxy
from daas_hub.authenticators.testlogin import sign_in_once
from daas_hub.authenticators.watch import Verdict, Watch
from daas_hub.authenticators.ways import Login, WayIn
from jupyterhub.handlers import BaseHandler
from oauthenticator.generic import GenericOAuthenticator
from tornado import web
from traitlets import Bool, Dict, Float, List, Unicode

from daas_hub.accounts import PasswordLogin
from daas_hub.errors import ConfigurationError, NoAccount, Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked
from daas_hub.identity import Account, Identity
from daas_hub.identity.elevation import Proof


class UmbrellaAuthenticator(GenericOAuthenticator):
    """Sign in with UmbrellaID or any OpenID provider; a discovery document is all the configuration there is."""

    oidc_issuer = Unicode(
        config=True,
        help="""
        The OpenID provider's issuer, exactly as its /.well-known/openid-configuration names it.
        Example: "https://keycloak.facility.org/realms/users". Default: the profile's, if it has one. Since 0.1.
        """,
    )
    profile = Unicode(
        "generic",
        config=True,
        help="""
        What kind of provider it is: "generic", "keycloak", "egi", "eduteams" or "umbrella". It says what is asked for
        and where things are; whatever is set beside it goes before it. Since 0.1.
        """,
    )
    providers = Dict(
        config=True,
        help="""
        Several providers on one login page, in this order: a short name for each (small letters; it stands in the
        callback that is registered there), and its `profile`, `title`, `issuer`, `client_id`, `client_secret_file` and
        whatever else it needs; see the page on connecting a provider. It takes the place of `oidc_issuer` and its like.
        Example: {"egi": {"profile": "egi", "client_id": "daas", "client_secret_file": "/etc/daas/egi.secret"}}.
        Since 0.1.
        """,
    )
    trusted_proxy = Dict(
        config=True,
        help="""
        A web server in front that signs people in itself (Shibboleth, say, for Umbrella's classic attributes), as a way
        in beside the providers: `issuer` and `secret_file` (32 characters and more), and if they are others `title`,
        `proof` ("signature", or "secret"), `subject_header`, `proof_header`, `max_age_s` (60), `hours` (12). A header
        alone is never believed. Example: {"issuer": "https://umbrellaid.org/idp/shibboleth", "secret_file":
        "/etc/daas/secrets/proxy"}. Default: none. Since 0.1.
        """,
    )
    passwords = Unicode(
        "",
        config=True,
        help="""
        Whether people can also sign in with a name and a password of the facility, on the login page: "ldap" (see
        LdapAccounts) or "calipsoplus" (a user office), see PasswordLogin. Default: no. Since 0.1.
        """,
    )
    client_secret_file = Unicode(
        "", config=True, help="A private file that holds the client's secret, instead of `client_secret`. Since 0.1."
    )
    login_service = Unicode(
        "",
        config=True,
        help="""
        What the button on the login page says after "Sign in with". Default: the profile's title. Since 0.1.
        """,
    )
    display_name_claim = Unicode(
        "",
        config=True,
        help="""
        The claim shown as a person's name. Never used to tell people apart. Default: the profile's, mostly "name".
        Since 0.1.
        """,
    )
    subject_claims = List(
        Unicode(),
        config=True,
        help="""
        The claim that tells people apart, in every spelling the provider may use. If it is missing, the login is
        refused: nothing else takes its place. E-mail addresses and user names are refused. Example: ["voperson_id"].
        Default: the profile's, mostly ["sub"]. Since 0.1.
        """,
    )
    required_assurance = List(
        Unicode(),
        config=True,
        help="""
        Values of the claim `eduperson_assurance`; a login needs one of them. Example:
        ["https://refeds.org/assurance/IAP/medium"]. Default: none is needed. Since 0.1.
        """,
    )
    logout_at_provider = Bool(
        True,
        config=True,
        help="Whether signing out here also signs out at the provider, where it has a place for that. Since 0.1.",
    )
    stop_sessions_at_logout = Bool(
        False,
        config=True,
        help="""
        Whether sessions are stopped when the provider tells that their owner signed out there. Otherwise they go on:
        there may be unsaved work in them. Since 0.1.
        """,
    )
    recheck_s = Float(
        300.0,
        min=0,
        config=True,
        help="""
        Seconds between two looks at the accounts of people whose sessions run, also with the browser closed. Who has no
        account any more loses the sessions; while the source of accounts does not answer, nobody does. 0 never looks.
        Since 0.1.
        """,
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        settings = self._providers()
        require_keys(self.config)
        if self.auto_login and len(settings) + bool(self.trusted_proxy) + bool(self.passwords) > 1:
            raise ConfigurationError(
                "UmbrellaAuthenticator.auto_login",
                True,
                "leads to one provider, and there are several",
                remedy="Drop it.",
            )
        #: Every way in by its name, in the order of the login page.
        self.ways: dict[str, WayIn] = {
            name: OpenIDWay(
                replace(one, http={**self._http(), **one.http}),
                lambda: Facility.of(self.config).claims,
                callback=self._callback_of(name),
            )
            for name, one in settings.items()
        }
        if self.trusted_proxy:
            self._add(ProxyWay(read_proxy("UmbrellaAuthenticator.trusted_proxy", self.trusted_proxy)), "trusted_proxy")
        if self.passwords:
            self._add(PasswordWay(PasswordLogin(config=self.config).source(self.passwords)), "passwords")
        # who may in is decided by whether the facility knows the account, not by a list here
        self.allow_all = True
        self._elevated = Elevated(lambda: Facility.of(self.config).elevation, self._trusted_proxies)
        self.enable_auth_state = True
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: dict[str, float] = {}
        self._app: Any = None
        self._watch: Watch | None = None
        self._watching: asyncio.Future[None] | None = None

    # -- configuration ------------------------------------------------------------------------------------------

    def _providers(self) -> dict[str, ProviderSettings]:
        """Give the configured providers: several, or the one of the settings without a name."""
        if self.providers:
            if self.oidc_issuer:
                raise ConfigurationError(
                    "UmbrellaAuthenticator.oidc_issuer",
                    self.oidc_issuer,
                    "stands beside UmbrellaAuthenticator.providers",
                    remedy="Make it one of the providers, or remove them.",
                )
            return read_providers("UmbrellaAuthenticator.providers", self.providers)
        if self.trusted_proxy and not self.oidc_issuer and self.profile == "generic":
            return {}
        keys: dict[str, Any] = {
            "profile": self.profile,
            "issuer": self.oidc_issuer,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "client_secret_file": self.client_secret_file,
            "basic_auth": self.basic_auth,
            "required_assurance": list(self.required_assurance),
            "authorize_params": dict(self.extra_authorize_params),
            "scope": list(self.scope),
        }
        if self.login_service:
            keys["title"] = self.login_service
        if self.subject_claims:
            keys["subject_claims"] = list(self.subject_claims)
        if self.display_name_claim:
            keys["display_name_claims"] = [self.display_name_claim]
        return {ONLY: read_provider("UmbrellaAuthenticator", ONLY, keys)}

    def _add(self, way: WayIn, setting: str) -> None:
        """Add a way in that is no provider."""
        if way.name in self.ways:
            raise ConfigurationError(
                "UmbrellaAuthenticator.providers", way.name, f"is the name of {setting}", remedy="Choose another name."
            )
        self.ways[way.name] = way

    def _http(self) -> dict[str, Any]:
        """Give what all requests to providers need (oauthenticator's own settings)."""
        return {"validate_cert": self.validate_server_cert, **self.http_request_kwargs}

    def _callback_of(self, name: str) -> str:
        return f"{self.oauth_callback_url}{'' if name == ONLY else '/' + name}" if self.oauth_callback_url else ""

    @property
    def issuers(self) -> tuple[str, ...]:
        """The issuers whose logins may come, in the order of the login page."""
        return tuple(way.issuer for way in self.ways.values())

    async def examine(self, facility: Facility, access_token: str = "") -> list[Finding]:
        """Find out whether people can sign in: `daas-hub doctor` asks. An access token is asked about at the first."""
        public = str(self.config.JupyterHub.get("public_url", "") or "").rstrip("/")
        findings: list[Finding] = []
        for name, way in self.ways.items():
            if isinstance(way, OpenIDWay):
                told = f"{public}/hub/oauth_callback{'' if name == ONLY else '/' + name}" if public else ""
                token = access_token if way.settings.issuer == self.issuers[0] else ""
                callback = self._callback_of(name) or told
                findings += await examine_way(way, facility, callback=callback, access_token=token)
            else:
                did = f"looked at the way in {way.title!r} ({way.issuer})"
                findings.append(not_checked("login.other", did, "only a person can try it: sign in once by hand"))
        return findings

    async def test_login(
        self, facility: Facility, way: str, tell: Callable[[str], None]
    ) -> tuple[Identity | None, list[Finding]]:
        """Have a person sign in without this portal's pages: `daas-hub doctor --login` asks (see `testlogin`)."""
        return await sign_in_once(self.ways, way, facility.claims, tell)

    # -- ways in ------------------------------------------------------------------------------------------------

    def login_ways(self, base_url: str) -> list[dict[str, str]]:
        """Give what the login page offers: titles, and where their buttons lead."""
        return [
            {"name": way.name, "title": way.title, "url": f"{base_url.rstrip('/')}{way.handlers()[0][0]}"}
            for way in self.ways.values()
        ]

    def login_url(self, base_url: str) -> str:
        """Give where a login begins: at the only way in, or on the page that shows all of them."""
        ways = self.login_ways(base_url)
        return ways[0]["url"] if len(ways) == 1 else f"{base_url.rstrip('/')}/login"

    def way_of(self, state: Mapping[str, Any]) -> WayIn | None:
        """Give the way in of a login that is kept, if the configuration still has it."""
        way = self.ways.get(str(state.get("way") or ""))
        return way if way is not None and way.knows(state) else None

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Give the handlers of the ways in and, through this door, the portal's pages (design, decision 5)."""
        from daas_hub.portal import portal_handlers

        self._app = app
        self._begin_watch()
        return [
            *(handler for way in self.ways.values() for handler in way.handlers()),
            (r"/logout", LogoutHandler),
            (r"/logged-out", LoggedOutHandler),
            *portal_handlers(app),
        ]

    # -- a login ------------------------------------------------------------------------------------------------

    async def authenticate(self, handler: BaseHandler, data: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Take what a way in proved to the hub's model of a login.

        Raises:
            NoAccount: the login is valid, and the facility knows no account for it.
            HTTPError: with the sentence for the user.
        """
        try:
            login = await handler.finish_login()
            account = await self._account_of(login.identity)
        except (NoAccount, WrongPassword, TooManyGuesses):
            raise
        except Refused as refusal:
            self.log.warning("login refused: %s", refusal)
            raise web.HTTPError(403, str(refusal)) from None
        except SourceUnavailable as problem:
            self.log.error("login not possible: %s %s", problem, problem.detail)
            raise web.HTTPError(503, str(problem)) from None
        proof = self._elevated.proof_of(login, handler)
        model = self._model(handler.way, login, account, proof)
        if model["admin"] and Facility.of(self.config).elevation:
            # the hub's flag is a person's: a browser that was left open elsewhere must not come by it
            await self._end_others(model["name"])
        return model

    async def _end_others(self, name: str) -> None:
        user = self._app.users.get(name) if self._app is not None else None
        if user is not None:
            await self._end_logins(user)

    def _model(self, way: WayIn, login: Login, account: Account, proof: Proof) -> dict[str, Any]:
        identity = login.identity
        elevation = self._elevated.decide(identity.hub_name, account.roles, proof)
        more = self._elevated.told(elevation, way)
        self.log.info(
            "login %s through %s is account %s (uid %d)", identity.hub_name, way.name, account.name, account.uid
        )
        return {
            "name": identity.hub_name,
            "admin": "admin" in elevation.roles,
            "auth_state": login.as_state(way.name) | {"proof": proof.as_state()},
            "user_info": {"display_name": account.display_name or identity.display_name or account.name} | more,
        }

    async def _account_of(self, identity: Identity) -> Account:
        try:
            return await Facility.of(self.config).account_of(identity)
        except NoAccount as refusal:
            refusal.identity = identity  # type: ignore[attr-defined]  # for the page that tells what to do next
            raise

    # -- later --------------------------------------------------------------------------------------------------

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """Ask way in and facility again; False ends the login (the account is gone, the provider says no).

        The provider or the facility being out of reach is not an answer: the login stays as it is. A launch asks
        again and refuses then.
        """
        try:
            return await self._again(user)
        except NoAccount as refusal:
            self.log.warning("login of %s ended: %s", user.name, refusal)
            if self._watch is not None:
                self._watch.soon()
            return False
        except Refused as refusal:
            self.log.warning("login of %s ended: %s", user.name, refusal)
            return False
        except SourceUnavailable as problem:
            self.log.error("login of %s could not be refreshed: %s %s", user.name, problem, problem.detail)
            return True

    async def _again(self, user: Any) -> bool | dict[str, Any]:
        """Ask again, one question a person at a time: a refresh token may be good for one use only."""
        wanted_at = time.monotonic()
        if self._elevated.has_run_out(user, Proof.from_state((await user.get_auth_state() or {}).get("proof"))):
            await self._run_out(user)
        async with self._asking[user.name]:
            if self._asked.get(user.name, 0.0) > wanted_at:
                return True  # somebody else asked while this one waited
            state = await user.get_auth_state() or {}
            way = self.way_of(state)
            if way is None:
                raise LoginOver(self._why_unknown(state), remedy="Please sign in again.")
            proof = Proof.from_state(state.get("proof"))
            login = await way.again(state)
            # kept at once, whatever the facility says: the tokens it replaces may be void already
            await user.save_auth_state(login.as_state(way.name) | {"proof": proof.as_state()})
            self._asked[user.name] = time.monotonic()
        account = await self._account_of(login.identity)
        if self._elevated.decide(user.name, account.roles, proof).over:
            await self._run_out(user)
        model = self._model(way, login, account, proof)
        # it is kept already, and a logout that came meanwhile must not be undone
        del model["auth_state"]
        return model

    async def _run_out(self, user: Any) -> NoReturn:
        """End a login that is too old for an elevated role; whatever tokens are left are no administrator's."""
        await self._end_logins(user)
        take_admin(user)
        raise LoginOver(OVER, remedy="Please sign in again.")

    def address_of(self, handler: BaseHandler) -> str:
        """Give where a request came from, as far as proxies are trusted; "" if that cannot be known."""
        return self._elevated.address_of(handler)

    def _trusted_proxies(self) -> list[str]:
        return list(self._app.trusted_downstream_ips) if self._app is not None else []

    def _why_unknown(self, state: Mapping[str, Any]) -> str:
        if state.get("ended") or not state:
            return "The login was ended."
        return f"The way in {str(state.get('way'))[:40]!r} is no longer in the configuration."

    async def signed_out(self, way: OpenIDWay, who: SignedOut) -> int:
        """End the logins of whoever signed out at their provider; give how many people that were."""
        ended = 0
        for user in list(self._people_of(way, who)):
            state = await user.get_auth_state() or {}
            same = who.subject and state.get("sub") == who.subject
            if not way.knows(state) or not (same or (who.session and state.get("sid") == who.session)):
                continue
            if who.subject and not same:
                continue  # the token names somebody else
            self.log.info("login of %s ended: signed out at %s", user.name, way.name)
            await self._end_logins(user)
            ended += 1
            if self.stop_sessions_at_logout:
                await stop_sessions(self._app.proxy, user, sessions_of(user))
        return ended

    def _people_of(self, way: OpenIDWay, who: SignedOut) -> list[Any]:
        """Give who may be meant: one, where the subject tells; else everybody with a login."""
        from jupyterhub import orm

        rows = self._app.db.query(orm.User).filter(orm.User.encrypted_auth_state.isnot(None))
        if who.subject and way.settings.subject_claims == ("sub",):
            rows = rows.filter(orm.User.name == Identity(who.issuer, who.subject).hub_name)
        return [self._app.users[row] for row in rows]

    # -- people whose sessions run ------------------------------------------------------------------------------

    def _begin_watch(self) -> None:
        if not self.recheck_s:
            return
        self._watch = Watch(self._people_with_sessions, self._look, self._end, self.recheck_s)
        self._watching = asyncio.ensure_future(self._watch.run())

    def _people_with_sessions(self) -> list[str]:
        return [user.name for user in self._app.users.values() if sessions_of(user)]

    async def _look(self, name: str) -> Verdict:
        """Ask the facility about somebody; what the provider says of their login ends no session by itself."""
        user = self._app.users[name]
        try:
            state = await user.get_auth_state() or {}
            if self.way_of(state) is not None:
                # claims that an account is made of have to be fresh
                await self._again(user)
                return Verdict.THERE
        except NoAccount:
            return Verdict.GONE
        except (Refused, SourceUnavailable):
            state = await user.get_auth_state() or {}
        identity = Identity.from_state(state.get("identity")) or Identity.from_state(state.get("ended"))
        if identity is None:
            return Verdict.UNKNOWN
        try:
            await Facility.of(self.config).account_of(identity)
        except NoAccount:
            return Verdict.GONE
        except (Refused, SourceUnavailable):
            return Verdict.UNKNOWN
        return Verdict.THERE

    async def _end(self, name: str) -> None:
        user = self._app.users[name]
        names = sessions_of(user)
        self.log.warning("sessions of %s are stopped, and the login is ended: the account is gone (%s)", name, names)
        await self._end_logins(user)
        await stop_sessions(self._app.proxy, user, names)

    async def _end_logins(self, user: Any) -> None:
        # a refresh that is under way would keep its tokens afterwards
        async with self._asking[user.name]:
            await end_logins(user)
