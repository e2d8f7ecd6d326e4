"""One OpenID provider as a client sees it: its discovery document and its keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

from daas_hub.accounts.json_values import strings_of
from daas_hub.authenticators.oidc.http import LATER, HTTPSettings, ask
from daas_hub.errors import ErrorKind, Refused, SourceUnavailable
from daas_hub.services.web_proxy import LOOPBACK

#: An unknown key id makes the keys be fetched again, but not more often than this.
KEYS_AGAIN_S = 30.0
#: A discovery document is fetched again after this.
DISCOVERY_KEPT_S = 3600.0

#: Maximum size of a token: some 5,000 groups.
MAX_TOKEN_BYTES = 262_144
#: Keys are fetched again after this: one that was stolen and withdrawn must stop working here, too.
KEYS_KEPT_S = 3600.0


@dataclass(frozen=True)
class Endpoints:
    """The parts of a discovery document that are used.

    Attributes:
        end_session: where a browser is sent to sign out at the provider; "" if it has no such endpoint.
        names_itself: whether its authorization responses carry `iss` (RFC 9207).
        client_authentication: how clients may authenticate at the token endpoint; () if it is not named.
        device: the device authorization endpoint (RFC 8628), unchecked: it is not needed by logins in a browser, and
            is checked when it is used; "" if it has no such endpoint.
    """

    authorize: str
    token: str
    userinfo: str
    keys: str
    end_session: str = ""
    names_itself: bool = False
    device: str = ""
    client_authentication: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Key:
    """A public key, and the one algorithm it was published for, if it names one."""

    public: Any
    published_for: str | None


class OpenIDProvider:
    """The provider at `issuer`, for the client `client_id`."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        http: HTTPSettings | None = None,
        max_token_bytes: int = MAX_TOKEN_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self.max_token_bytes = max_token_bytes
        self._http = http or HTTPSettings()
        self._clock = clock
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: dict[str, _Key] = {}
        self._reading_keys = asyncio.Lock()
        # when the keys were last requested, and when they were last received
        self._keys_asked = -KEYS_AGAIN_S - 1
        self._keys_read = self._keys_asked

    async def endpoints(self) -> Endpoints:
        """Return the provider's endpoints, read from its discovery document.

        Raises:
            SourceUnavailable: it did not respond, or not with this provider's document.
        """
        now = self._clock()
        if self._endpoints is None or now - self._endpoints[0] > DISCOVERY_KEPT_S:
            document = await self._get_json(
                self.issuer.rstrip("/") + "/.well-known/openid-configuration", "its discovery document"
            )
            self._endpoints = (now, self._endpoints_of(document))
        return self._endpoints[1]

    async def key(self, key_id: object, algorithm: str) -> Any:
        """Return the provider's public key for a token's header.

        An unknown id makes the keys be fetched again, at most every half minute; withdrawn keys expire within an hour.

        Raises:
            Refused: the provider publishes no such key for this algorithm.
            SourceUnavailable: the keys are not available.
        """
        if self._clock() - self._keys_read > KEYS_KEPT_S:
            self._keys = {}
        key = self._known_key(key_id)
        if key is None:
            # of several logins at once one fetches them, and the others wait for it
            async with self._reading_keys:
                key = self._known_key(key_id)
                if key is None and self._clock() - self._keys_asked > KEYS_AGAIN_S:
                    await self._read_keys()
                    key = self._known_key(key_id)
        if key is None and self._keys_asked > self._keys_read:
            raise SourceUnavailable("The login provider's keys are not available at the moment.", remedy=LATER)
        if key is None:
            raise refused("it is signed with a key that the provider does not publish")
        if key.published_for not in (None, algorithm):
            raise refused("its key is for another algorithm")
        return key.public

    def _known_key(self, key_id: object) -> _Key | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id) if isinstance(key_id, str) else None

    async def count_keys(self) -> int:
        """Fetch the keys now, and return the number of usable ones.

        Raises:
            SourceUnavailable: they could not be had.
        """
        await self._read_keys()
        return len(self._keys)

    async def _read_keys(self) -> None:
        self._keys_asked = self._clock()
        document = await self._get_json((await self.endpoints()).keys, "its keys")
        try:
            keys = jwt.PyJWKSet.from_dict(document).keys
        except (jwt.PyJWTError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise SourceUnavailable(
                "The login provider's keys cannot be read.", remedy=LATER, kind=ErrorKind.INVALID_RESPONSE
            ) from error
        self._keys = {
            str(key.key_id or index): _Key(key.key, key._jwk_data.get("alg"))
            for index, key in enumerate(keys)
            # not a shared secret that was published by mistake
            if key.public_key_use in (None, "sig") and key.key_type in ("RSA", "EC", "OKP")
        }
        self._keys_read = self._keys_asked

    def _endpoints_of(self, document: dict[str, Any]) -> Endpoints:
        if document.get("issuer") != self.issuer:
            raise SourceUnavailable(
                "The login provider's discovery document names a different issuer than the configured one.",
                remedy="Administrators: copy the issuer exactly from the discovery document.",
                kind=ErrorKind.ISSUER_MISMATCH,
            )

        def address(name: str) -> str:
            url = document.get(name)
            if not isinstance(url, str) or not is_safe_url(url):
                raise SourceUnavailable(
                    f"The login provider's discovery document has no HTTPS {name}.", kind=ErrorKind.INSECURE_ENDPOINT
                )
            return url

        return Endpoints(
            authorize=address("authorization_endpoint"),
            token=address("token_endpoint"),
            userinfo=address("userinfo_endpoint"),
            keys=address("jwks_uri"),
            # without it, signing out ends only the portal's login
            end_session=address("end_session_endpoint") if document.get("end_session_endpoint") else "",
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
            device=str(document.get("device_authorization_endpoint") or ""),
            client_authentication=tuple(sorted(strings_of(document.get("token_endpoint_auth_methods_supported")))),
        )

    async def _get_json(self, url: str, asked_for: str) -> dict[str, Any]:
        answer = await ask(url, asked_for, http=self._http)
        if answer.status != 200 or answer.document is None:
            raise SourceUnavailable(
                "The login provider did not return a discovery document.",
                remedy=LATER,
                kind=ErrorKind.INVALID_RESPONSE,
            )
        return answer.document


def is_safe_url(url: str) -> bool:
    """Return whether a provider's address is acceptable: https anywhere, http on this machine only."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def refused(why: str, remedy: str = "") -> Refused:
    """Return the error for a response of the provider that does not hold; ``why`` contains no part of a token."""
    return Refused(
        f"The login provider's response was not accepted: {why}.",
        remedy=remedy or "Please sign in again. If it happens again, tell the administrators.",
    )


def too_long(what: str, size: int, limit: int) -> Refused:
    """Return the error for a token or a claim that exceeds the portal's limit."""
    return refused(
        f"{what} has {size:,} bytes, and this portal reads at most {limit:,}",
        "Signing in again does not help. Please ask the administrators of this portal to raise max_token_bytes, or to "
        "let the login provider send fewer groups.",
    )
