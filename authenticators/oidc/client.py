"""The portal as a client of one provider: a code becomes tokens, a refresh token new ones, an access token claims.

Tokens stand in no text of an error: those end up in logs and pages.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from daas_hub.authenticators.errors import ClientRejected, LoginExpired
from daas_hub.authenticators.oidc.http import LATER, Answer, ask
from daas_hub.authenticators.oidc.provider import MAX_TOKEN_BYTES, OpenIDProvider
from daas_hub.authenticators.oidc.provider_config import ProviderSettings
from daas_hub.errors import Refused, SourceUnavailable


@dataclass(frozen=True)
class Tokens:
    """What a token endpoint gave."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)


class OpenIDClient:
    """Asks the token and userinfo endpoints of one provider."""

    def __init__(self, settings: ProviderSettings, provider: OpenIDProvider) -> None:
        self._settings = settings
        self._provider = provider

    async def redeem(self, code: str, verifier: str, callback: str) -> Tokens:
        """Exchange the code of a callback.

        Raises:
            Refused: the provider does not accept it, or answers with something that is none.
            SourceUnavailable: it cannot be asked, or does not know the portal.
        """
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier}
        answer = await self._post(fields)
        if error_of(answer):
            raise Refused("The login provider did not accept this sign-in.", remedy="Please sign in again.")
        return tokens_of(answer)

    async def renew(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token.

        Raises:
            LoginExpired: the provider says that it is no longer good.
            SourceUnavailable: it cannot be asked, or says something else.
        """
        answer = await self._post({"grant_type": "refresh_token", "refresh_token": refresh_token})
        if error_of(answer) == "invalid_grant":
            raise LoginExpired("The login provider has ended this login.", remedy="Please sign in again.")
        if error_of(answer):
            raise SourceUnavailable("The login provider does not renew this login at the moment.", remedy=LATER)
        return tokens_of(answer)

    async def userinfo(self, access_token: str) -> dict[str, Any] | None:
        """Return the claims of userinfo; None if the access token is no longer good.

        Raises:
            Refused: what came are no claims.
            SourceUnavailable: the provider does not answer.
        """
        endpoints = await self._provider.endpoints()
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await ask(endpoints.userinfo, "the claims of a person", http=self._settings.http, headers=headers)
        if 400 <= answer.status < 500:
            return None
        if answer.status != 200 or answer.document is None:
            raise _no("it did not say who you are")
        return answer.document

    async def _post(self, fields: dict[str, str]) -> Answer:
        settings = self._settings
        answer = await self.send((await self._provider.endpoints()).token, fields)
        if error_of(answer) in ("invalid_client", "unauthorized_client"):
            raise ClientRejected(
                "The login provider does not accept this portal.",
                remedy="Please tell the administrators.",
                detail=f"{settings.name}: client_id or client_secret is not what {settings.issuer} knows",
            )
        return answer

    async def send(self, url: str, fields: Mapping[str, str]) -> Answer:
        """Send a form to an endpoint of the provider, as the client that the portal is there.

        Raises:
            SourceUnavailable: it cannot be asked.
        """
        settings = self._settings
        headers: dict[str, str] = {}
        if settings.basic_auth:
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            fields = {**fields, "client_id": settings.client_id}
            if settings.client_secret:
                fields["client_secret"] = settings.client_secret
        return await ask(url, "tokens", http=settings.http, headers=headers, form=fields)


def error_of(answer: Answer) -> str:
    """Return the error of a token endpoint; "" for none."""
    told = (answer.document or {}).get("error")
    if told is None and answer.status == 200:
        return ""
    return told if isinstance(told, str) and told else "an error without a name"


def tokens_of(answer: Answer) -> Tokens:
    """Return the tokens of a token endpoint's answer.

    Raises:
        Refused: there are none, or of another kind.
    """
    document = answer.document
    if answer.status != 200 or document is None:
        raise _no("it gave no tokens")
    kind = document.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise _no("its tokens are of another kind")
    return Tokens(
        access_token=_token(document, "access_token", needed=True),
        refresh_token=_token(document, "refresh_token"),
        id_token=_token(document, "id_token"),
    )


def _token(document: dict[str, Any], name: str, *, needed: bool = False) -> str:
    value = document.get(name)
    if value is None and not needed:
        return ""
    # they are sent in headers and forms: nothing that could end one
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TOKEN_BYTES or not value.isascii():
        raise _no(f"its {name} is none")
    if not value.isprintable() or " " in value:
        raise _no(f"its {name} is none")
    return value


def _no(why: str) -> Refused:
    return Refused(f"The login provider's answer was not accepted: {why}.", remedy="Please sign in again.")
