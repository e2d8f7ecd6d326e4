"""The HTTP handlers of one OpenID provider: login and callback."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyterhub.handlers import BaseHandler
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, guess_callback_uri
from tornado import web

from daas_hub.accounts.elevation import step_up
from daas_hub.authenticators.login_outcomes import note_refusal
from daas_hub.authenticators.no_account import NoAccountMixin
from daas_hub.authenticators.oidc import begun_logins
from daas_hub.errors import NoAccount, SourceUnavailable
from daas_hub.portal.hub_requests import public_origin

if TYPE_CHECKING:
    from daas_hub.authenticators.oidc.method import OIDCMethod

_AGAIN = "Please sign in again."
_WORD = re.compile(r"[a-z_]{1,40}")


def callback_of(method: OIDCMethod, handler: BaseHandler) -> str:
    """Return the address of a provider's callback: the configured one, or one derived from this request."""
    if method.callback:
        return method.callback
    request = handler.request
    return str(guess_callback_uri(request.protocol, request.host, handler.hub.server.base_url)) + method.tail


class BeginHandler(OAuthLoginHandler):
    """Sends the browser to the provider, with PKCE, a nonce, and a state that is bound to this provider."""

    def initialize(self, method: OIDCMethod) -> None:
        """Take the provider."""
        self.method = method

    async def get(self) -> None:
        """Start a login."""
        verifier, challenge = self._generate_pkce_params()
        state = secrets.token_urlsafe(32)
        elevation = self.authenticator.people.elevation
        steps_up = bool(elevation and self.get_query_argument("step_up", ""))
        more = step_up(elevation) if elevation and steps_up else {}
        try:
            address = await self.method.begin(
                state=state, verifier=verifier, challenge=challenge, callback=callback_of(self.method, self), more=more
            )
        except SourceUnavailable as problem:
            self.log.error("login provider %s: %s %s", self.method.name, problem, problem.detail)
            raise web.HTTPError(503, str(problem)) from None
        begun = {
            "method": self.method.name,
            "next_url": self._get_next_url(),
            "code_verifier": verifier,
            "step_up": steps_up,
        }
        begun_logins.keep(self, state, begun)
        self.redirect(address)


class _NotBegun(web.HTTPError):
    """A response to a sign-in that this browser has not begun, or has finished."""


class _NotSignedIn(web.HTTPError):
    """The provider reports an error instead of a login."""


class CallbackHandler(NoAccountMixin, OAuthCallbackHandler):
    """Receives the browser from the provider; users without a facility account get a page that says what to do next."""

    _begun: dict[str, Any] | None = None

    def initialize(self, method: OIDCMethod) -> None:
        """Take the provider."""
        self.method = method

    async def get(self) -> None:
        """Finish a login.

        A user who is signed in already (another tab was faster, or this is the browser's *back*) is redirected.
        """
        try:
            await super().get()
        except NoAccount as refusal:
            await self.show_no_account(refusal)
        except (_NotBegun, _NotSignedIn):
            if not self.current_user or self.login_begun().get("step_up"):
                raise
            # not by `get_next_url`: the address may be anybody's, with a `next` of theirs
            self.redirect(self.wanted_afterwards() or f"{self.hub.base_url}home")

    def check_arguments(self) -> None:
        """Check first that this browser started this login at this provider, before anything else is trusted."""
        for name in ("state", "code", "iss", "error"):
            if len(self.get_query_arguments(name)) > 1:
                raise web.HTTPError(400, f"The login provider's response was not accepted: duplicate {name}. {_AGAIN}")
        self.check_state()
        self.check_error()
        self.check_code()

    def check_state(self) -> None:
        """Check the state against the signed cookie, and that the login was started at this provider."""
        begun = self.login_begun()
        expected, received = str(begun.get("state_id") or ""), self.get_query_argument("state", "")
        if (
            not expected
            or begun.get("method") != self.method.name
            or not hmac.compare_digest(expected.encode(), received.encode())
        ):
            self.log.warning("login at %s: the response does not belong to a login of this browser", self.method.name)
            raise _NotBegun(
                400, f"This response does not belong to a sign-in that was started in this browser. {_AGAIN}"
            )

    def check_error(self) -> None:
        """Report an error of the provider; its description is not shown, because it comes through the browser."""
        error = self.get_query_argument("error", "")
        if error:
            shown = f" ({error})" if _WORD.fullmatch(error) else ""
            note_refusal(self.method.name, "provider", self.authenticator.address_of(self))
            raise _NotSignedIn(403, f"The login provider did not sign you in{shown}. {_AGAIN}")

    def check_code(self) -> None:
        """Check that there is a code."""
        code = self.get_query_argument("code", "")
        if not code or len(code) > 4096 or not code.isprintable():
            raise web.HTTPError(400, f"The login provider's response has no code. {_AGAIN}")

    def login_begun(self) -> dict[str, Any]:
        """Return the login that this browser started, from its cookie, which is valid once; {} for none."""
        if self._begun is None:
            self._begun = begun_logins.take(self, self.get_query_argument("state", ""))
        return self._begun

    async def finish_login(self) -> Any:
        """Return the login that the checked response proves; called by the authenticator.

        Raises:
            Refused, SourceUnavailable: with a message for the user.
        """
        # an empty issuer is present, and wrong
        issuer = self.get_query_arguments("iss", strip=False)
        await self.method.require_from_here(issuer[0] if issuer else None)
        return await self.method.finish(
            code=self.get_query_argument("code"),
            verifier=str(self.login_begun().get("code_verifier") or ""),
            callback=callback_of(self.method, self),
        )

    def get_next_url(self, user: Any = None) -> str:
        """Return where this login leads: what was checked when it began, else the hub's default."""
        return self.wanted_afterwards() or str(super().get_next_url(user))

    def wanted_afterwards(self) -> str:
        """Return the `next` address of this login, not validated."""
        return str(self.login_begun().get("next_url") or "")


def page_after_logout(handler: BaseHandler, callback: str) -> str:
    """Return the absolute address of the page that confirms signing out, next to the registered callback."""
    path = f"{handler.hub.base_url}logged-out"
    if callback:
        parts = urlsplit(callback)
        base = parts.path.partition("oauth_callback")[0]
        return f"{parts.scheme}://{parts.netloc}{base}logged-out"
    return f"{public_origin(handler)}{path}"
