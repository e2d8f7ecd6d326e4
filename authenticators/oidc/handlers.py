"""The addresses of one OpenID provider: a browser is sent there, comes back, and the provider itself calls."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyterhub.handlers import BaseHandler
from oauthenticator.oauth2 import (
    OAuthCallbackHandler,
    OAuthLoginHandler,
    _deserialize_state,
    _serialize_state,
    guess_callback_uri,
)
from tornado import web

from daas_hub.accounts.elevation import step_up
from daas_hub.authenticators.no_account import NoAccountMixin
from daas_hub.errors import NoAccount, Refused, SourceUnavailable

if TYPE_CHECKING:
    from daas_hub.authenticators.oidc.method import OIDCMethod

#: A logout token is some kilobytes; whoever sends more sends something else.
MAX_FORM_BYTES = 32_768

_AGAIN = "Please sign in again."
_WORD = re.compile(r"[a-z_]{1,40}")


def callback_of(method: OIDCMethod, handler: BaseHandler) -> str:
    """Return the address of a provider's callback: the configured one, or what this request was sent to."""
    if method.callback:
        return method.callback
    request = handler.request
    return str(guess_callback_uri(request.protocol, request.host, handler.hub.server.base_url)) + method.tail


class BeginHandler(OAuthLoginHandler):
    """Sends the browser to the provider, with PKCE, a nonce and a state that only this provider may answer."""

    def initialize(self, method: OIDCMethod) -> None:
        """Take the provider."""
        self.method = method

    async def get(self) -> None:
        """Begin a login."""
        verifier, challenge = self._generate_pkce_params()
        state = secrets.token_urlsafe(32)
        elevation = self.authenticator.people.elevation
        more = step_up(elevation) if elevation and self.get_query_argument("step_up", "") else {}
        try:
            address = await self.method.begin(
                state=state, verifier=verifier, challenge=challenge, callback=callback_of(self.method, self), more=more
            )
        except SourceUnavailable as problem:
            self.log.error("login provider %s: %s %s", self.method.name, problem, problem.detail)
            raise web.HTTPError(503, str(problem)) from None
        kept = {
            "state_id": state,
            "method": self.method.name,
            "next_url": self._get_next_url(),
            "code_verifier": verifier,
        }
        self.set_state_cookie(_serialize_state(kept))
        self.redirect(address)


class CallbackHandler(NoAccountMixin, OAuthCallbackHandler):
    """Takes the browser back from the provider; who has no facility account gets a page that says what to do next."""

    def initialize(self, method: OIDCMethod) -> None:
        """Take the provider."""
        self.method = method

    async def get(self) -> None:
        """Finish a login."""
        try:
            await super().get()
        except NoAccount as refusal:
            await self.show_no_account(refusal)

    def check_arguments(self) -> None:
        """Check that this browser began this login at this provider; only then is anything else of it believed."""
        for name in ("state", "code", "iss", "error"):
            if len(self.get_query_arguments(name)) > 1:
                raise web.HTTPError(400, f"The login provider's response was not accepted: duplicate {name}. {_AGAIN}")
        self.check_state()
        self.check_error()
        self.check_code()

    def check_state(self) -> None:
        """Check the state against the signed cookie, and whose answer it is the state of."""
        begun = self.login_begun()
        expected, told = str(begun.get("state_id") or ""), self.get_query_argument("state", "")
        if (
            not expected
            or begun.get("method") != self.method.name
            or not hmac.compare_digest(expected.encode(), told.encode())
        ):
            self.log.warning("login at %s: the response does not belong to a login of this browser", self.method.name)
            raise web.HTTPError(
                400, f"This response does not belong to a sign-in that was started in this browser. {_AGAIN}"
            )

    def check_error(self) -> None:
        """Say that the provider refused, in our words: its own come through the browser."""
        error = self.get_query_argument("error", "")
        if error:
            shown = f" ({error})" if _WORD.fullmatch(error) else ""
            raise web.HTTPError(403, f"The login provider did not sign you in{shown}. {_AGAIN}")

    def check_code(self) -> None:
        """Check that there is a code."""
        code = self.get_query_argument("code", "")
        if not code or len(code) > 4096 or not code.isprintable():
            raise web.HTTPError(400, f"The login provider's response has no code. {_AGAIN}")

    def login_begun(self) -> dict[str, Any]:
        """Return what the cookie says of the login that this browser began; it is good for once."""
        kept = _deserialize_state(self.get_state_cookie()) if self.get_state_cookie() else {}
        return kept if isinstance(kept, dict) else {}

    async def finish_login(self) -> Any:
        """Return the login that the checked answer stands for; the authenticator asks.

        Raises:
            Refused, SourceUnavailable: with the sentence for the user.
        """
        # an empty one is not none: it is a wrong one
        issuer = self.get_query_arguments("iss", strip=False)
        await self.method.require_from_here(issuer[0] if issuer else None)
        return await self.method.finish(
            code=self.get_query_argument("code"),
            verifier=str(self.login_begun().get("code_verifier") or ""),
            callback=callback_of(self.method, self),
        )

    def wanted_afterwards(self) -> str:
        """Return the address that was asked for before the login, as it came."""
        return str(self.login_begun().get("next_url") or "")


class BackchannelHandler(BaseHandler):
    """Where a provider tells that somebody signed out there: no browser, no cookie; the signed token is all."""

    def initialize(self, method: OIDCMethod) -> None:
        """Take the provider."""
        self.method = method

    def check_xsrf_cookie(self) -> None:
        """There is none: a cookie has no say here, and a forged form lacks the provider's signature."""

    async def get_current_user(self) -> None:
        """Nobody is logged in in a provider's call, whatever it carries."""
        self._jupyterhub_user = None

    async def post(self) -> None:
        """End the logins that a logout token names."""
        self.set_header("Cache-Control", "no-store")
        try:
            signed_out = await self.method.logout_tokens.read(self._token())
        except Refused as refusal:
            self.log.warning("logout token of %s refused: %s", self.method.name, refusal)
            self._answer(400, refusal.message)
            return
        except SourceUnavailable as problem:
            self.log.error("logout token of %s could not be verified: %s %s", self.method.name, problem, problem.detail)
            self._answer(400, "The token cannot be checked at the moment.")
            return
        ended = await self.authenticator.signed_out(self.method, signed_out)
        self.log.info("logout token of %s: %d logins ended", self.method.name, ended)
        self.set_status(200)
        self.finish()

    def _token(self) -> str:
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded" or len(self.request.body) > MAX_FORM_BYTES:
            raise Refused("The logout token was not accepted: it is not in a form.")
        tokens = self.get_body_arguments("logout_token")
        if len(tokens) != 1:
            raise Refused("The logout token was not accepted: there must be one.")
        return tokens[0]

    def _answer(self, status: int, why: str) -> None:
        self.set_status(status)
        self.finish({"error": "invalid_request", "error_description": why})


def page_after_logout(handler: BaseHandler, way_callback: str) -> str:
    """Return the whole address of the page that tells one is signed out, beside the callback that is registered."""
    path = f"{handler.hub.base_url}logged-out"
    if way_callback:
        parts = urlsplit(way_callback)
        base = parts.path.partition("oauth_callback")[0]
        return f"{parts.scheme}://{parts.netloc}{base}logged-out"
    return f"{handler.request.protocol}://{handler.request.host}{path}"
