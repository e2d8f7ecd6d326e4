"""The OAuth 2.0 Device Authorization Grant (RFC 8628): a user signs in with a browser on another device.

The result are tokens, which are not verified here. No message contains them or the device code.
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

#: Polling interval where the provider does not name one.
INTERVAL_S = 5.0
#: "slow_down" lengthens the interval by this, permanently.
SLOWER_S = 5.0
#: Longest time to wait, whatever the provider allows.
MAX_WAIT_S = 900.0
#: Requests in a row without a response before giving up.
MAX_SILENT = 3

_SHOWN = re.compile(r"[ -~]{1,2000}")
_AGAIN = "Please sign in again."


@dataclass(frozen=True)
class DeviceAuthorization:
    """What a user needs to sign in on another device. All of it is printable.

    Attributes:
        address: where the code is entered (`verification_uri`).
        whole_address: the same with the code in it (`verification_uri_complete`); "" if the provider sends none.
        seconds: how long the code is valid.
    """

    address: str
    code: str
    whole_address: str
    seconds: float


@dataclass
class DeviceFlow:
    """One login by device code.

    Args:
        device_endpoint, token_endpoint: the provider's.
        fields: parameters of the request: `scope`, and those of the configuration.
        sleep, clock: in seconds; replaced by tests.
    """

    client: OpenIDClient
    device_endpoint: str
    token_endpoint: str
    fields: Mapping[str, str]
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    #: PKCE is not part of RFC 8628; some providers require it for every login of a client, and others ignore it
    _verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    async def tokens(self, show: Callable[[DeviceAuthorization], None]) -> Tokens:
        """Request a code, show it to the user, and wait until they have signed in.

        Raises:
            DeviceLoginFailed: the provider or the user declined, or the code was not entered in time.
            Refused: a response of the provider is invalid.
            SourceUnavailable: the provider cannot be reached.
        """
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        pkce = {"code_challenge": challenge, "code_challenge_method": "S256"}
        began = self.clock()
        answer = await self.client.send(self.device_endpoint, {**self.fields, **pkce})
        if error := error_of(answer):
            raise DeviceLoginFailed(error)
        if answer.document is None:
            raise _not_accepted("it returned no code")
        invitation = _invitation(answer)
        device_code = _text(answer, "device_code")
        interval = max(1.0, _seconds(answer, "interval", INTERVAL_S))
        show(invitation)
        return await self._wait(device_code, interval, until=began + invitation.seconds)

    async def _wait(self, device_code: str, interval: float, *, until: float) -> Tokens:
        """Poll for the tokens as often as the provider allows."""
        fields = {"grant_type": GRANT, "device_code": device_code, "code_verifier": self._verifier}
        silent = 0
        while self.clock() + interval <= until:
            await self.sleep(interval)
            try:
                answer = await self.client.send(self.token_endpoint, fields)
                if answer.status >= 500:
                    raise SourceUnavailable("The login provider returned an error.", remedy=_AGAIN)
            except SourceUnavailable:
                silent += 1
                if silent == MAX_SILENT:
                    raise
                interval *= 2  # as RFC 8628 requires after a timeout
                continue
            silent = 0
            error = error_of(answer)
            if error == "slow_down":
                interval += SLOWER_S
            elif error and error != "authorization_pending":
                raise DeviceLoginFailed(error)
            elif not error:
                return tokens_of(answer, self.client.max_token_bytes)
        raise DeviceLoginFailed("expired_token")


def _invitation(answer: Answer) -> DeviceAuthorization:
    address = _text(answer, "verification_uri")
    whole = _text(answer, "verification_uri_complete", needed=False)
    if not all(is_safe_url(one) for one in (address, whole) if one):
        raise _not_accepted("its verification_uri is not https")
    seconds = _seconds(answer, "expires_in", MAX_WAIT_S)
    return DeviceAuthorization(address, _text(answer, "user_code"), whole, min(seconds, MAX_WAIT_S))


def _text(answer: Answer, name: str, *, needed: bool = True) -> str:
    """Return a text that is safe to show in a terminal: no control characters."""
    value = (answer.document or {}).get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or not _SHOWN.fullmatch(value):
        raise _not_accepted(f"its {name} is invalid")
    return value


def _seconds(answer: Answer, name: str, otherwise: float) -> float:
    value = (answer.document or {}).get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise _not_accepted(f"its {name} is not a number of seconds")
    return float(value)


def _not_accepted(why: str) -> Refused:
    return Refused(f"The login provider's response was not accepted: {why}.", remedy=_AGAIN)
