"""A login without a browser of ours: a person enters a code at the provider (OAuth 2.0 Device Authorization Grant).

RFC 8628. What comes of it are tokens, and nothing is believed of them here. Neither they nor the code that fetches them
stand in any text.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from daas_hub.authenticators.errors import DeviceLoginFailed
from daas_hub.authenticators.oidc.client import OpenIDClient, Tokens, error_of, tokens_of
from daas_hub.authenticators.oidc.http import Answer
from daas_hub.authenticators.oidc.provider import is_safe_url
from daas_hub.errors import Refused, SourceUnavailable

GRANT = "urn:ietf:params:oauth:grant-type:device_code"

#: Where the provider does not say how often it may be asked.
INTERVAL_S = 5.0
#: What "slow_down" adds, for good.
SLOWER_S = 5.0
#: Nobody is waited for longer, whatever the provider says.
MAX_WAIT_S = 900.0
#: So many questions in a row may stay without an answer.
MAX_SILENT = 3

_SHOWN = re.compile(r"[ -~]{1,2000}")
_AGAIN = "Please sign in again."


@dataclass(frozen=True)
class DeviceAuthorization:
    """What a person needs to sign in with a browser of their own. Everything in it is printable.

    Attributes:
        address: where the code is entered.
        whole_address: the same with the code in it; "" if the provider gives none.
        seconds: how long the code is good for.
    """

    address: str
    code: str
    whole_address: str
    seconds: float


@dataclass
class DeviceFlow:
    """One such login.

    Args:
        begins, ends: the provider's device authorization endpoint, and its token endpoint.
        fields: what is asked for: `scope`, and what the configuration sends along.
        sleep, clock: in seconds; a test has its own.
    """

    client: OpenIDClient
    begins: str
    ends: str
    fields: Mapping[str, str]
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    #: PKCE is no part of RFC 8628; some providers want it of every login of a client, and the others pass it over
    _verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    async def tokens(self, tell: Callable[[DeviceAuthorization], None]) -> Tokens:
        """Begin, tell what the person needs, and wait for them.

        Raises:
            DeviceLoginFailed: the provider or the person says no, or nobody came in time.
            Refused: what came are no tokens, or nothing that a person could use.
            SourceUnavailable: the provider cannot be asked.
        """
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        pkce = {"code_challenge": challenge, "code_challenge_method": "S256"}
        began = self.clock()
        answer = await self.client.send(self.begins, {**self.fields, **pkce})
        if error := error_of(answer):
            raise DeviceLoginFailed(error)
        if answer.document is None:
            raise _no("what came instead of a code is no JSON")
        invitation = _invitation(answer)
        secret = _text(answer, "device_code")
        interval = max(1.0, _seconds(answer, "interval", INTERVAL_S))
        tell(invitation)
        return await self._wait(secret, interval, until=began + invitation.seconds)

    async def _wait(self, secret: str, interval: float, *, until: float) -> Tokens:
        """Ask for the tokens as often as the provider allows."""
        fields = {"grant_type": GRANT, "device_code": secret, "code_verifier": self._verifier}
        silent = 0
        while self.clock() + interval <= until:
            await self.sleep(interval)
            try:
                answer = await self.client.send(self.ends, fields)
                if answer.status >= 500:
                    raise SourceUnavailable("The login provider is not available at the moment.", remedy=_AGAIN)
            except SourceUnavailable:
                silent += 1
                if silent == MAX_SILENT:
                    raise
                interval *= 2  # as RFC 8628 wants it of one that gets no answer
                continue
            silent = 0
            error = error_of(answer)
            if error == "slow_down":
                interval += SLOWER_S
            elif error and error != "authorization_pending":
                raise DeviceLoginFailed(error)
            elif not error:
                return tokens_of(answer)
        raise DeviceLoginFailed("expired_token")


def _invitation(answer: Answer) -> DeviceAuthorization:
    address = _text(answer, "verification_uri")
    whole = _text(answer, "verification_uri_complete", needed=False)
    if not all(is_safe_url(one) for one in (address, whole) if one):
        raise _no("its verification_uri is not https")
    seconds = _seconds(answer, "expires_in", MAX_WAIT_S)
    return DeviceAuthorization(address, _text(answer, "user_code"), whole, min(seconds, MAX_WAIT_S))


def _text(answer: Answer, name: str, *, needed: bool = True) -> str:
    """Return a text that can be shown in a terminal: nothing in it moves the cursor."""
    value = (answer.document or {}).get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or not _SHOWN.fullmatch(value):
        raise _no(f"its {name} is none")
    return value


def _seconds(answer: Answer, name: str, otherwise: float) -> float:
    value = (answer.document or {}).get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise _no(f"its {name} is no time")
    return float(value)


def _no(why: str) -> Refused:
    return Refused(f"The login provider's answer was not accepted: {why}.", remedy=_AGAIN)
