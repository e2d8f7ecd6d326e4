"""The portal as a client of one provider: it redeems codes, refreshes tokens and fetches claims.

No error message contains a token: messages end up in logs and pages.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from daas_hub.authenticators.errors import ClientRejected, LoginExpired
from daas_hub.authenticators.oidc.http import LATER, Answer, ask
from daas_hub.authenticators.oidc.id_tokens import verify_userinfo
from daas_hub.authenticators.oidc.provider import MAX_TOKEN_BYTES, OpenIDProvider, refused, too_long
from daas_hub.authenticators.oidc.provider_config import ProviderSettings
from daas_hub.errors import Refused, SourceUnavailable


@dataclass(frozen=True)
class Tokens:
    """The tokens in a response of the token endpoint."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)


class OpenIDClient:
    """Calls the token and userinfo endpoints of one provider."""

    def __init__(self, settings: ProviderSettings, provider: OpenIDProvider) -> None:
        self._settings = settings
        self._provider = provider
        self.max_token_bytes = settings.max_token_bytes

    async def redeem(self, code: str, verifier: str, callback: str) -> Tokens:
        """Exchange an authorization code for tokens.

        Raises:
            Refused: the provider does not accept the code, or its response is invalid.
            SourceUnavailable: it cannot be reached, or does not accept the client.
        """
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier}
        answer = await self._post(fields)
        if error_of(answer):
            raise Refused("The login provider did not accept this sign-in.", remedy="Please sign in again.")
        return tokens_of(answer, self.max_token_bytes)

    async def renew(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token for new tokens.

        Raises:
            LoginExpired: the refresh token is no longer valid.
            SourceUnavailable: the provider cannot be reached, or returned another error.
        """
        answer = await self._post({"grant_type": "refresh_token", "refresh_token": refresh_token})
        if error_of(answer) == "invalid_grant":
            raise LoginExpired("The login provider has ended this login.", remedy="Please sign in again.")
        if error_of(answer):
            raise SourceUnavailable("The login provider cannot refresh this login at the moment.", remedy=LATER)
        return tokens_of(answer, self.max_token_bytes)

    async def userinfo(self, access_token: str) -> dict[str, Any] | None:
        """Return the claims of userinfo; None if the access token is no longer valid.

        Raises:
            Refused: the response has no claims.
            SourceUnavailable: the provider does not respond.
        """
        endpoints = await self._provider.endpoints()
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await ask(endpoints.userinfo, "the claims of a person", http=self._settings.http, headers=headers)
        if 400 <= answer.status < 500:
            return None
        if answer.status == 200 and answer.jwt:
            return await verify_userinfo(self._provider, answer.jwt)
        if answer.status != 200 or answer.document is None:
            raise refused("it returned no claims")
        return answer.document

    async def _post(self, fields: dict[str, str]) -> Answer:
        settings = self._settings
        answer = await self.send((await self._provider.endpoints()).token, fields)
        if error_of(answer) in ("invalid_client", "unauthorized_client"):
            raise ClientRejected(
                "The login provider does not accept this portal.",
                remedy="Please tell the administrators.",
                detail=f"{settings.name}: {settings.issuer} does not accept client_id or client_secret",
            )
        return answer

    async def send(self, url: str, fields: Mapping[str, str]) -> Answer:
        """Send a form to an endpoint of the provider, with the client's credentials.

        Raises:
            SourceUnavailable: it cannot be reached.
        """
        settings = self._settings
        headers: dict[str, str] = {}
        if await self.uses_basic_auth():
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            fields = {**fields, "client_id": settings.client_id}
            if settings.client_secret:
                fields["client_secret"] = settings.client_secret
        return await ask(url, "tokens", http=settings.http, headers=headers, form=fields)

    async def uses_basic_auth(self) -> bool:
        """Return whether the secret is sent in a header: as configured, or because the provider supports only that.

        Raises:
            SourceUnavailable: the provider cannot be reached.
        """
        if self._settings.basic_auth is not None:
            return self._settings.basic_auth
        supported = (await self._provider.endpoints()).client_authentication
        is_only = "client_secret_basic" in supported and "client_secret_post" not in supported
        return is_only and bool(self._settings.client_secret)


def error_of(answer: Answer) -> str:
    """Return the error code in a response of the token endpoint; "" if there is none."""
    error = (answer.document or {}).get("error")
    if error is None and answer.status == 200:
        return ""
    return error if isinstance(error, str) and error else "an unnamed error"


def tokens_of(answer: Answer, max_bytes: int = MAX_TOKEN_BYTES) -> Tokens:
    """Return the tokens in a response of the token endpoint.

    Raises:
        Refused: it has no tokens, or they are not bearer tokens.
    """
    document = answer.document
    if answer.status != 200 or document is None:
        raise refused("it returned no tokens")
    kind = document.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise refused("its token_type is not Bearer")
    return Tokens(
        access_token=_token(document, "access_token", max_bytes, needed=True),
        refresh_token=_token(document, "refresh_token", max_bytes),
        id_token=_token(document, "id_token", max_bytes),
    )


def _token(document: dict[str, Any], name: str, max_bytes: int, *, needed: bool = False) -> str:
    value = document.get(name)
    if value is None and not needed:
        return ""
    # sent in headers and forms: no control characters, no spaces
    if not isinstance(value, str) or not value or not value.isascii():
        raise refused(f"its {name} is invalid")
    if len(value) > max_bytes:
        raise too_long(f"its {name}", len(value), max_bytes)
    if not value.isprintable() or " " in value:
        raise refused(f"its {name} is invalid")
    return value
