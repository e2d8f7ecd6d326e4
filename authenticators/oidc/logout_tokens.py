"""Logout tokens: a provider reports that a user signed out there (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daas_hub.authenticators.oidc.id_tokens import LEEWAY_S, signed_claims, token_type
from daas_hub.authenticators.oidc.provider import OpenIDProvider
from daas_hub.errors import Refused

EVENT = "http://schemas.openid.net/event/backchannel-logout"
#: Older tokens are refused, which bounds how long a token has to be remembered.
MAX_AGE_S = 600
#: Number of tokens remembered, so that none is used twice.
MAX_REMEMBERED = 10_000
#: Anybody can send one, and it has no groups.
MAX_BYTES = 16_384

_TYPES = ("", "jwt", "logout+jwt")


@dataclass(frozen=True)
class SignedOut:
    """A subject that signed out, a session at the provider that ended, or both; "" for the one not named."""

    issuer: str
    subject: str
    session: str


class LogoutTokens:
    """Verifies the logout tokens of one provider; each is valid once."""

    def __init__(self, provider: OpenIDProvider, clock: Callable[[], float] = time.time) -> None:
        self._provider = provider
        self._clock = clock
        self._used: OrderedDict[str, float] = OrderedDict()

    async def read(self, token: object) -> SignedOut:
        """Return who signed out.

        Raises:
            Refused: a check failed; the message says which, and never contains the token.
            SourceUnavailable: the provider's keys are not available.
        """
        header, claims = await signed_claims(
            self._provider, token, require=("iss", "aud", "iat", "exp", "jti", "events"), max_bytes=MAX_BYTES
        )
        if token_type(header) not in _TYPES:
            raise _refused("it has another type")
        if "nonce" in claims:
            raise _refused("it has a nonce, as only id_tokens have")
        events = claims["events"]
        if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
            raise _refused("it has no logout event")
        now = self._clock()
        if claims["iat"] < now - MAX_AGE_S - LEEWAY_S:
            raise _refused("it is too old")
        subject, session = _text(claims, "sub"), _text(claims, "sid")
        if not subject and not session:
            raise _refused("it names neither a subject nor a session")
        self._use(_text(claims, "jti"), now)
        return SignedOut(self._provider.issuer, subject, session)

    def _use(self, token_id: str, now: float) -> None:
        """Remember a token's id. This is the last check: a token that was refused may be sent again."""
        if not token_id:
            raise _refused("it has no jti")
        while self._used and (
            next(iter(self._used.values())) < now - MAX_AGE_S - 2 * LEEWAY_S or len(self._used) >= MAX_REMEMBERED
        ):
            self._used.popitem(last=False)
        if token_id in self._used:
            raise _refused("it was used already")
        self._used[token_id] = now


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or not value.isprintable():
        raise _refused(f"its claim {name} is invalid")
    return value


def _refused(why: str) -> Refused:
    return Refused(f"The logout token was not accepted: {why}.")
