"""The login method through one OpenID provider.

The order is fixed: authorization request with nonce and PKCE -> callback of this provider -> tokens -> id_token
verified -> userinfo of the same subject -> identity.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from daas_hub.accounts import Identity
from daas_hub.authenticators.errors import LoginExpired
from daas_hub.authenticators.login_methods import Login, LoginMethod
from daas_hub.authenticators.oidc.backchannel_logout import BackchannelHandler
from daas_hub.authenticators.oidc.claims import kept_claims, references_of, require_complete
from daas_hub.authenticators.oidc.client import OpenIDClient, Tokens
from daas_hub.authenticators.oidc.device_flow import DeviceAuthorization, DeviceFlow
from daas_hub.authenticators.oidc.handlers import BeginHandler, CallbackHandler
from daas_hub.authenticators.oidc.http import LATER
from daas_hub.authenticators.oidc.id_tokens import verify_id_token
from daas_hub.authenticators.oidc.logout_tokens import LogoutTokens
from daas_hub.authenticators.oidc.provider import OpenIDProvider
from daas_hub.authenticators.oidc.provider_config import ONLY, ProviderSettings
from daas_hub.authenticators.oidc.subject import subject_of, usable
from daas_hub.errors import ErrorKind, Refused, SourceUnavailable
from daas_hub.services.circuit_breaker import CircuitBreaker
from daas_hub.services.measuring import count_rejected, host_of

_log = logging.getLogger("jupyterhub.daas")

#: A longer id_token is not sent as `id_token_hint`: servers refuse long addresses.
MAX_HINT = 4_000
#: Refreshes in a row without a response, after which no more are sent for a while: every page and every launch would
#: wait for the timeout, and so would the recheck of everybody with sessions. Logins stay as they are meanwhile.
SILENT_REFRESHES = 2
_NO_RESPONSE = (
    ErrorKind.TIMEOUT,
    ErrorKind.DNS,
    ErrorKind.NO_CONNECTION,
    ErrorKind.TLS_CERTIFICATE,
    ErrorKind.WEB_PROXY,
    ErrorKind.SERVER_ERROR,
)


def nonce_of(code_verifier: str) -> str:
    """Return the nonce of a login, derived from its PKCE verifier, which only this browser's signed cookie holds."""
    return hashlib.sha256(f"nonce:{code_verifier}".encode()).hexdigest()


class OIDCMethod(LoginMethod):
    """One provider of the configuration.

    Args:
        wanted: returns the claims that the facility's configuration reads.
        callback: the configured address of its callback; "" to derive it from each request.
    """

    def __init__(self, settings: ProviderSettings, wanted: Callable[[], frozenset[str]], *, callback: str = "") -> None:
        super().__init__(settings.name, settings.title, settings.issuer)
        self.settings = settings
        self.callback = callback
        self.provider = OpenIDProvider(
            settings.issuer, settings.client_id, http=settings.http, max_token_bytes=settings.max_token_bytes
        )
        self.logout_tokens = LogoutTokens(self.provider)
        self._client = OpenIDClient(settings, self.provider)
        self._host = host_of(settings.issuer)
        self._refreshing = CircuitBreaker(
            f"login provider {self._host}", source="login provider", host=self._host, failure_threshold=SILENT_REFRESHES
        )
        self._wanted = wanted

    @property
    def tail(self) -> str:
        """The end of its addresses: each provider has its own, so that none can respond for another."""
        return "" if self.name == ONLY else f"/{self.name}"

    def handlers(self) -> list[tuple[Any, ...]]:
        """Return the handlers of login, callback and back-channel logout."""
        mine = {"method": self}
        return [
            (rf"/oauth_login{self.tail}", BeginHandler, mine),
            (rf"/oauth_callback{self.tail}", CallbackHandler, mine),
            (rf"/oauth_backchannel_logout{self.tail}", BackchannelHandler, mine),
        ]

    # -- a login ------------------------------------------------------------------------------------------------

    async def begin(
        self, *, state: str, verifier: str, challenge: str, callback: str, more: Mapping[str, str] | None = None
    ) -> str:
        """Return the address to send a browser to; `more` holds additional parameters of this login.

        Raises:
            SourceUnavailable: the provider cannot be reached.
        """
        fields = (
            dict(self.settings.authorize_params)
            | dict(more or {})
            | {
                "response_type": "code",
                "client_id": self.settings.client_id,
                "redirect_uri": callback,
                "scope": " ".join(self.settings.scope),
                "state": state,
                "nonce": nonce_of(verifier),
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        return _with((await self.provider.endpoints()).authorize, fields)

    async def require_from_here(self, issuer: str | None) -> None:
        """Check the issuer in the response (RFC 9207): a code of another provider must not be used here.

        Raises:
            Refused: it names another issuer, or none although this provider always sends it.
            SourceUnavailable: the provider cannot be reached.
        """
        endpoints = await self.provider.endpoints()
        if issuer != self.settings.issuer and (issuer is not None or endpoints.names_itself):
            raise Refused("This response is not from the login provider you chose.", remedy="Please sign in again.")

    async def finish(self, *, code: str, verifier: str, callback: str) -> Login:
        """Redeem the code of a callback, and return the login.

        Raises:
            Refused, SourceUnavailable: with a message for the user.
        """
        return await self._accept(await self._client.redeem(code, verifier, callback), nonce_of(verifier))

    async def _accept(self, tokens: Tokens, nonce: str | None) -> Login:
        """Verify the tokens of a new login, and return the login."""
        id_token = await verify_id_token(self.provider, tokens.id_token, nonce=nonce)
        claims = id_token
        if self.settings.userinfo:
            userinfo = await self._client.userinfo(tokens.access_token)
            if userinfo is None:
                raise Refused(
                    "The login provider did not send the claim sub that identifies you.", remedy="Please sign in again."
                )
            _require_same(id_token["sub"], userinfo)
            claims = userinfo
        subject = subject_of(self.settings.subject_claims, id_token, claims)
        login = self._login(tokens, subject, id_token["sub"], id_token=id_token, claims=claims)
        # signed claims only, and only those of the login itself
        return replace(login, proven={name: id_token.get(name) for name in ("acr", "amr", "auth_time")})

    # -- for `daas-hub doctor` -----------------------------------------------------------------------------------

    async def sign_in_elsewhere(self, show: Callable[[DeviceAuthorization], None], **waiting: Any) -> Login:
        """Return the login of a user who signs in on another device, verified like any other.

        Args:
            show: shows the user where to sign in.
            waiting: `sleep` and `clock`, see `DeviceFlow`.

        Raises:
            Refused, SourceUnavailable: see `DeviceFlow.tokens`; or the tokens do not prove a login.
        """
        endpoints = await self.provider.endpoints()
        fields = {**self.settings.authorize_params, "scope": " ".join(self.settings.scope)}
        flow = DeviceFlow(self._client, endpoints.device, endpoints.token, fields, **waiting)
        # the tokens do not pass through a browser, and only this process has the device code: no nonce is needed
        return await self._accept(await flow.tokens(show), nonce=None)

    async def redeem_invalid_code(self, code: str) -> None:
        """Request tokens with an invalid code.

        Raises:
            Refused: the provider accepts the client and refuses the code, as it should.
            SourceUnavailable: it does not accept the client (`detail` says so), or does not respond.
        """
        await self._client.redeem(code, code * 2, self.callback or "https://portal.invalid/hub/oauth_callback")

    async def userinfo_of(self, access_token: str) -> dict[str, Any] | None:
        """Return the claims of userinfo for an access token; None if the provider does not accept it."""
        return await self._client.userinfo(access_token)

    # -- later --------------------------------------------------------------------------------------------------

    async def refresh(self, state: Mapping[str, Any]) -> Login:
        """Ask the provider again, with the access token, or with the refresh token if that has expired.

        Raises:
            LoginExpired: the provider has ended this login.
            SourceUnavailable: it does not respond, or did not lately and is not asked.
        """
        if not self._refreshing.allows_request():
            count_rejected("login provider", self._host)
            raise SourceUnavailable(
                "The login provider is not available at the moment.", remedy=LATER, kind=ErrorKind.CIRCUIT_OPEN
            )
        try:
            login = await self._refreshed(state)
        except SourceUnavailable as problem:
            (self._refreshing.record_failure if problem.kind in _NO_RESPONSE else self._refreshing.record_success)()
            raise
        except Refused:
            self._refreshing.record_success()
            raise
        self._refreshing.record_success()
        return login

    async def _refreshed(self, state: Mapping[str, Any]) -> Login:
        before = Identity.from_state(state.get("identity"))
        sub = state.get("sub")
        tokens = Tokens(*(str(state.get(name) or "") for name in ("access_token", "refresh_token", "id_token")))
        if before is None or not isinstance(sub, str) or not sub or not tokens.access_token:
            raise LoginExpired("Your login is no longer known.", remedy="Please sign in again.")
        claims = await self._client.userinfo(tokens.access_token) if self.settings.userinfo else None
        id_token: dict[str, Any] = {}
        if claims is None:
            tokens, id_token = await self._renewed(tokens, sub)
            claims = await self._client.userinfo(tokens.access_token) if self.settings.userinfo else id_token
            if claims is None:
                raise LoginExpired("The login provider has ended this login.", remedy="Please sign in again.")
        _require_same(sub, claims)
        if any(claims.get(name) or id_token.get(name) for name in self.settings.subject_claims):
            # the claim may be in the id_token of the login only, which was verified then
            subject = subject_of(self.settings.subject_claims, id_token, claims)
        else:
            subject = before.subject
        if subject != before.subject:
            raise LoginExpired(
                "The login provider now sends the claims of another person.", remedy="Please sign in again."
            )
        before_sid, assured = str(state.get("sid") or ""), bool(state.get("assured"))
        return self._login(tokens, subject, sub, id_token=id_token, claims=claims, sid=before_sid, assured=assured)

    async def _renewed(self, tokens: Tokens, sub: str) -> tuple[Tokens, dict[str, Any]]:
        """Return new tokens for a login, and the claims of a new id_token if there is one."""
        if not tokens.refresh_token:
            raise LoginExpired("The login provider has ended this login.", remedy="Please sign in again.")
        new = await self._client.renew(tokens.refresh_token)
        id_token: dict[str, Any] = {}
        if new.id_token:
            id_token = await verify_id_token(self.provider, new.id_token, nonce=None)
            _require_same(sub, id_token)
        elif not self.settings.userinfo:
            raise LoginExpired("The login provider did not confirm who you are.", remedy="Please sign in again.")
        # a token that was not replaced stays valid
        return (
            Tokens(new.access_token, new.refresh_token or tokens.refresh_token, new.id_token or tokens.id_token),
            id_token,
        )

    async def logout_url(self, state: Mapping[str, Any], return_to: str) -> str:
        """Return the provider's own address to sign out at (OpenID Connect RP-Initiated Logout 1.0)."""
        end_session = (await self.provider.endpoints()).end_session
        if not end_session:
            return ""
        fields = {"client_id": self.settings.client_id, "post_logout_redirect_uri": return_to}
        hint = state.get("id_token")
        if isinstance(hint, str) and 0 < len(hint) <= MAX_HINT:
            fields["id_token_hint"] = hint
        return _with(end_session, fields)

    def _login(
        self,
        tokens: Tokens,
        subject: str,
        sub: str,
        *,
        id_token: Mapping[str, Any],
        claims: Mapping[str, Any],
        sid: str = "",
        assured: bool = False,
    ) -> Login:
        if {subject, sub} & set(self.settings.refused_subjects):
            raise Refused("This account belongs to the provider's monitoring.", remedy="Sign in as yourself.")
        everything = {**id_token, **claims}
        self._require_assurance(everything, assured)
        wanted, groups_claim = self._wanted(), self.settings.groups_claim
        require_complete({**references_of(id_token), **claims}, wanted, groups_claim)
        kept = kept_claims(claims, wanted, groups_claim, max_bytes=self.settings.max_token_bytes)
        if unread := sorted((wanted & set(id_token)) - set(claims)):
            _log.warning(
                "%s sends the claim %s in the id_token only, where it is not read: let it send it in userinfo, too, or "
                "set userinfo to False",
                self.name,
                ", ".join(unread),
            )
        return Login(
            Identity(
                self.settings.issuer,
                subject,
                self._display_name(everything),
                claims=kept,
                received_at=time.time(),
                access_token=tokens.access_token,
            ),
            {
                "access_token": tokens.access_token,
                "refresh_token": tokens.refresh_token,
                "id_token": tokens.id_token,
                "sub": sub,
                "sid": _sid(id_token) or sid,
                "assured": bool(self.settings.required_assurance),
            },
        )

    def _require_assurance(self, claims: Mapping[str, Any], assured: bool) -> None:
        wanted = set(self.settings.required_assurance)
        if not wanted:
            return
        values = claims.get("eduperson_assurance")
        if values is None and assured:
            return  # asserted at the login, in its id_token
        found = {values} if isinstance(values, str) else {one for one in values or () if isinstance(one, str)}
        if not wanted & found:
            raise Refused(
                "The login provider does not assert the level of assurance that this facility requires.",
                remedy="Sign in with an account of your home institution, or ask the user office.",
            )

    def _display_name(self, claims: Mapping[str, Any]) -> str:
        names = (claims.get(name) for name in self.settings.display_name_claims)
        return next((name[:200] for name in names if isinstance(name, str) and name.strip()), "")


def _require_same(sub: str, claims: Mapping[str, Any]) -> None:
    found = claims.get("sub")
    if not isinstance(found, str) or not found:
        raise Refused(
            "The login provider did not send the claim sub that identifies you.", remedy="Please sign in again."
        )
    if found != sub:
        raise Refused("The login provider sent claims of two different people.", remedy="Please sign in again.")


def _sid(id_token: Mapping[str, Any]) -> str:
    return usable("sid", id_token["sid"]) if id_token.get("sid") else ""


def _with(url: str, fields: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(fields)}"
