"""The HTTP handler of back-channel logout (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyterhub.handlers import BaseHandler

from daas_hub.errors import Refused, SourceUnavailable

if TYPE_CHECKING:
    from daas_hub.authenticators.oidc.method import OIDCMethod

#: A logout token has a few kilobytes; larger forms are refused.
MAX_FORM_BYTES = 32_768


class BackchannelHandler(BaseHandler):
    """Receives back-channel logout from a provider: no browser and no cookie, only the signed token counts."""

    def initialize(self, method: OIDCMethod) -> None:
        """Take the provider."""
        self.method = method

    def check_xsrf_cookie(self) -> None:
        """Skip the check: cookies are ignored here, and a forged form lacks the provider's signature."""

    async def get_current_user(self) -> None:
        """Set no user: a request of the provider is never logged in, whatever it carries."""
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
