"""UmbrellaAuthenticator: a login through UmbrellaID or any OpenID provider becomes an identity and an account.

Each method replaces one named step of oauthenticator's fixed order; the order itself stays theirs:
authorise with nonce -> token -> id_token checked -> userinfo of the same subject -> identity -> account.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from typing import Any

from daas_hub.authenticators.openid import OpenIDProvider, require_issuer
from jupyterhub.crypto import CryptKeeper
from jupyterhub.handlers import BaseHandler
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, _deserialize_state
from tornado import web
from tornado.httpclient import HTTPClientError
from traitlets import TraitError, Unicode

from daas_hub.errors import ConfigurationError, NoAccount, Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.identity import Identity

#: A claim that is larger than this once written as JSON is not kept: some providers send a thousand groups.
MAX_CLAIM_BYTES = 50_000


def nonce_of(code_verifier: str) -> str:
    """Give the nonce of a login: bound to its PKCE verifier, which only this browser's signed cookie knows."""
    return hashlib.sha256(f"nonce:{code_verifier}".encode()).hexdigest()


def _require_keys(config: Any) -> None:
    """Check that what the hub keeps of a login can be encrypted.

    Raises:
        ConfigurationError: there is no key, or one is none; the key itself is never shown.
    """
    why = ""
    try:
        if not CryptKeeper(config=config).keys:
            why = "is not set, and login tokens are never stored unencrypted"
    except (TraitError, ValueError):
        why = "is not 32 bytes in hexadecimal or base64 digits (several are separated by ';')"
    if why:
        raise ConfigurationError(
            "JUPYTERHUB_CRYPT_KEY",
            "(not shown)",
            why,
            remedy="Set it to the output of `openssl rand -hex 32`, the same at every start.",
        )


def kept_claims(user_info: dict[str, Any], wanted: frozenset[str]) -> dict[str, Any]:
    """Give those claims the configuration reads. One that is larger than any look-up needs is left out, and missed."""
    return {
        name: user_info[name]
        for name in sorted(wanted)
        if name in user_info and len(json.dumps(user_info[name])) <= MAX_CLAIM_BYTES
    }


class UmbrellaLoginHandler(OAuthLoginHandler):
    """Sends the browser to the provider, with PKCE and a nonce."""

    async def get(self) -> None:
        """Begin a login."""
        await self.authenticator.discover()
        super().get()

    def authorize_redirect(self, *args: Any, extra_params: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Redirect with the nonce that belongs to this login's verifier."""
        extra_params = dict(extra_params or {})
        extra_params["nonce"] = nonce_of(self._code_verifier)
        super().authorize_redirect(*args, extra_params=extra_params, **kwargs)

    def _generate_pkce_params(self) -> tuple[str, str]:
        verifier, challenge = super()._generate_pkce_params()
        self._code_verifier = verifier
        return verifier, challenge


class UmbrellaCallbackHandler(OAuthCallbackHandler):
    """Takes the browser back from the provider; who has no facility account gets a page that says what to do next."""

    async def get(self) -> None:
        """Finish a login."""
        try:
            await super().get()
        except NoAccount as refusal:
            self.set_status(403)
            self.finish(await self.render_no_account(refusal))

    async def render_no_account(self, refusal: NoAccount) -> str:
        """Give the page for a valid login without a facility account."""
        identity: Identity | None = getattr(refusal, "identity", None)
        facility = Facility.of(self.authenticator.config)
        advice = [str(refusal.remedy)]
        if identity is not None:
            advice.append(f"Tell them this login: {identity.subject} of {identity.issuer}.")
        actions = [{"title": "Sign in as somebody else", "url": self.settings["login_url"]}]
        if facility.user_office_url:
            actions.insert(0, {"title": "Go to the user office", "url": facility.user_office_url})
        name = identity.display_name if identity and identity.display_name else "You"
        return await self.render_template(
            "message.html",
            title="No facility account",
            heading="Your login works, but you have no account here yet",
            text=f"{name}: {refusal.message}",
            advice=advice,
            actions=actions,
        )


class UmbrellaAuthenticator(GenericOAuthenticator):
    """Sign in with UmbrellaID or any OpenID provider; a discovery document is all the configuration there is."""

    login_handler = UmbrellaLoginHandler
    callback_handler = UmbrellaCallbackHandler

    oidc_issuer = Unicode(
        config=True,
        help="""
        The OpenID provider's issuer, exactly as its /.well-known/openid-configuration names it.
        Example: "https://keycloak.facility.org/realms/users". No default. Since 0.1.
        """,
    )
    display_name_claim = Unicode(
        "name", config=True, help="The claim shown as a person's name. Never used to tell people apart. Since 0.1."
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require_issuer(self.oidc_issuer)
        if not self.client_id:
            raise ConfigurationError(
                "UmbrellaAuthenticator.client_id", "", "is not set", remedy="Register the portal at your provider."
            )
        _require_keys(self.config)
        self.provider = OpenIDProvider(self.oidc_issuer, self.client_id)
        # who may in is decided by whether the facility knows the account, not by a list here
        self.allow_all = True
        self.enable_auth_state = True
        self.enable_pkce = True

    async def discover(self) -> None:
        """Fill in the provider's addresses from its discovery document.

        Raises:
            HTTPError: 503 with a sentence for the user, when the provider cannot be reached.
        """
        try:
            endpoints = await self.provider.endpoints()
        except SourceUnavailable as problem:
            self.log.error("login provider: %s", problem)
            raise web.HTTPError(503, str(problem)) from problem
        self.authorize_url = endpoints.authorize
        self.token_url = endpoints.token
        self.userdata_url = endpoints.userinfo

    async def authenticate(self, handler: BaseHandler, data: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Take the code of a callback to an auth model (the order is the base class's)."""
        await self.discover()
        verifier = _deserialize_state(handler.get_state_cookie()).get("code_verifier", "")
        try:
            params = self.build_access_tokens_request_params(handler, data)
            token_info = await self.get_token_info(handler, params)
            token_info["daas_nonce"] = nonce_of(verifier)
            return await self._token_to_auth_model(token_info)
        except NoAccount:
            raise
        except Refused as refusal:
            self.log.warning("login refused: %s", refusal)
            raise web.HTTPError(403, str(refusal)) from None
        except SourceUnavailable as problem:
            self.log.error("login not possible: %s", problem)
            raise web.HTTPError(503, str(problem)) from None

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Give the userinfo of the subject the id_token proves.

        Raises:
            Refused: the id_token does not hold, or the userinfo is about somebody else.
        """
        nonce = token_info.pop("daas_nonce", None)
        # a refresh re-reads userinfo with the access token; the id_token proved the login it belonged to
        claims = await self.provider.verify(token_info.get("id_token"), nonce=nonce) if nonce else None
        user_info = await super().token_to_user(token_info)
        if not isinstance(user_info, dict) or not isinstance(user_info.get("sub"), str):
            raise Refused("The login provider did not say who you are.", remedy="Please sign in again.")
        if claims is not None and claims["sub"] != user_info["sub"]:
            raise Refused("The login provider told us about two different people.", remedy="Please sign in again.")
        return user_info

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """Give the hub's user name: opaque, from issuer and subject only."""
        return self._identity_of(user_info).hub_name

    def build_auth_state_dict(self, token_info: dict[str, Any], user_info: dict[str, Any]) -> dict[str, Any]:
        """Give what is kept (encrypted): the tokens a refresh needs and the identity, with the claims that are read."""
        kept = ("access_token", "refresh_token", "token_type", "expires_in", "scope")
        return {
            "access_token": token_info["access_token"],
            "refresh_token": token_info.get("refresh_token"),
            "id_token": token_info.get("id_token"),
            "token_response": {key: token_info[key] for key in kept if key in token_info},
            "identity": replace(self._identity_of(user_info), access_token=token_info["access_token"]).as_state(),
        }

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Join the identity with its account: at login, and at every refresh.

        Raises:
            NoAccount: the facility knows no account for it.
        """
        identity = Identity.from_state(auth_model["auth_state"]["identity"])
        assert identity is not None
        try:
            account = await Facility.of(self.config).account_of(identity)
        except NoAccount as refusal:
            refusal.identity = identity  # type: ignore[attr-defined]  # for the page that tells what to do next
            raise
        self.log.info("login %s is account %s (uid %d)", auth_model["name"], account.name, account.uid)
        auth_model["admin"] = "admin" in account.roles
        auth_model["user_info"] = {"display_name": account.display_name or identity.display_name or account.name}
        return auth_model

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """Ask provider and facility again; False ends the login (the account is gone, the provider says no).

        The provider or the facility being out of reach is not an answer: the login stays as it is. A launch asks
        again and refuses then.
        """
        try:
            await self.discover()
            return await super().refresh_user(user, handler, **kwargs)
        except (NoAccount, Refused) as refusal:
            self.log.warning("login of %s ended: %s", user.name, refusal)
            return False
        except (SourceUnavailable, web.HTTPError, HTTPClientError, OSError) as problem:
            self.log.error("login of %s could not be refreshed: %s", user.name, problem)
            return True

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Give the handlers of this login and, through it, the portal's pages (design, decision 5)."""
        from daas_hub.portal import portal_handlers

        return [*super().get_handlers(app), *portal_handlers(app)]

    def _identity_of(self, user_info: dict[str, Any]) -> Identity:
        name = user_info.get(self.display_name_claim)
        return Identity(
            self.oidc_issuer,
            user_info["sub"],
            name[:200] if isinstance(name, str) else "",
            claims=kept_claims(user_info, Facility.of(self.config).claims),
            told_at=time.time(),
        )
