"""One OpenID provider as a client sees it: its discovery document, its keys, and the checks of an id_token.

The checks are those of OpenID Connect Core 1.0, 3.1.3.7. Nothing of a token ever stands in an error text: they end up
in logs and pages.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from daas_hub.errors import ConfigurationError, Refused, SourceUnavailable
from daas_hub.webservice import LOOPBACK

#: Signatures by public key only: with HS256 whoever knows the client secret could write tokens, and "none" is nobody's.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

MAX_TOKEN_BYTES = 16_384
MAX_ANSWER_BYTES = 1_000_000
TIMEOUT_S = 10.0
LEEWAY_S = 60
#: An unknown key id asks the provider for its keys again, but not more often than this.
KEYS_AGAIN_S = 30.0
#: A discovery document is read again after this.
DISCOVERY_KEPT_S = 3600.0

#: A key is believed in so long without asking again: one that was stolen and withdrawn must die here, too.
KEYS_KEPT_S = 3600.0

_LATER = "Please try again in a few minutes."


@dataclass(frozen=True)
class Endpoints:
    """What we use of a discovery document."""

    authorize: str
    token: str
    userinfo: str
    keys: str


@dataclass(frozen=True)
class _Key:
    """A public key, and the one algorithm it was published for, if it names one."""

    public: Any
    published_for: str | None


class OpenIDProvider:
    """The provider at `issuer`, for the client `client_id`."""

    def __init__(self, issuer: str, client_id: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._clock = clock
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: dict[str, _Key] = {}
        # when the keys were last asked for, and when they were last had
        self._keys_asked = -KEYS_AGAIN_S - 1
        self._keys_read = self._keys_asked

    async def endpoints(self) -> Endpoints:
        """Give the provider's endpoints, read from its discovery document.

        Raises:
            SourceUnavailable: it did not answer, or with something that is not this provider's document.
        """
        now = self._clock()
        if self._endpoints is None or now - self._endpoints[0] > DISCOVERY_KEPT_S:
            document = await self._get_json(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
            self._endpoints = (now, self._endpoints_of(document))
        return self._endpoints[1]

    async def verify(self, id_token: object, *, nonce: str | None) -> dict[str, Any]:
        """Give the claims of an id_token whose signature, issuer, audience, times and nonce hold.

        Args:
            nonce: what this login sent; None for a token that answers a refresh, which carries none.

        Raises:
            Refused: one of the checks failed; the text says which, never the token.
            SourceUnavailable: the provider's keys could not be had.
        """
        if (
            not isinstance(id_token, str)
            or len(id_token) > MAX_TOKEN_BYTES
            or id_token.count(".") != 2
            or not id_token.isascii()
        ):
            raise _refused("it is not a signed token")
        try:
            header = jwt.get_unverified_header(id_token)
        except jwt.PyJWTError:
            raise _refused("its header cannot be read") from None
        if header.get("alg") not in ALGORITHMS or "crit" in header:
            raise _refused("its signature algorithm is not accepted")
        key = await self._key(header.get("kid"), header["alg"])
        try:
            claims = jwt.decode(
                id_token,
                key=key,
                algorithms=[header["alg"]],
                audience=self.client_id,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"], "verify_signature": True},
            )
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise _refused(type(error).__name__) from None
        self._require_ours(claims, nonce)
        return claims

    def _require_ours(self, claims: dict[str, Any], nonce: str | None) -> None:
        """Check what the library leaves to us: exact issuer, subject, authorised party, nonce."""
        if claims["iss"] != self.issuer:
            raise _refused("it is another issuer's")
        for name in ("exp", "iat", "nbf"):
            if not isinstance(claims.get(name, 0), int | float) or isinstance(claims.get(name), bool):
                raise _refused(f"its {name} is not a time")
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isprintable():
            raise _refused("its subject is not usable")
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
            raise _refused("it has several audiences and names no authorised party")
        if claims.get("azp", self.client_id) != self.client_id:
            raise _refused("it was made for another client")
        if nonce is not None and claims.get("nonce") != nonce:
            raise _refused("it does not belong to this login (nonce)")

    async def _key(self, key_id: object, algorithm: str) -> Any:
        """Give the provider's public key for a token's header.

        An unknown id asks the provider again, at most every half minute; a key it withdrew is forgotten within an hour.
        """
        if self._clock() - self._keys_read > KEYS_KEPT_S:
            self._keys = {}
        key = self._known_key(key_id)
        if key is None and self._clock() - self._keys_asked > KEYS_AGAIN_S:
            await self._read_keys()
            key = self._known_key(key_id)
        if key is None and self._keys_asked > self._keys_read:
            raise SourceUnavailable("The login provider's keys cannot be had at the moment.", remedy=_LATER)
        if key is None:
            raise _refused("it is signed with a key the provider does not publish")
        if key.published_for not in (None, algorithm):
            raise _refused("its key is for another algorithm")
        return key.public

    def _known_key(self, key_id: object) -> _Key | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id) if isinstance(key_id, str) else None

    async def _read_keys(self) -> None:
        self._keys_asked = self._clock()
        document = await self._get_json((await self.endpoints()).keys)
        try:
            keys = jwt.PyJWKSet.from_dict(document).keys
        except (jwt.PyJWTError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise SourceUnavailable("The login provider's keys cannot be read.", remedy=_LATER) from error
        self._keys = {
            str(key.key_id or index): _Key(key.key, key._jwk_data.get("alg"))
            for index, key in enumerate(keys)
            # a shared secret that was published by mistake signs nothing
            if key.public_key_use in (None, "sig") and key.key_type in ("RSA", "EC", "OKP")
        }
        self._keys_read = self._keys_asked

    def _endpoints_of(self, document: dict[str, Any]) -> Endpoints:
        if document.get("issuer") != self.issuer:
            raise SourceUnavailable(
                "The login provider's description names another issuer than the one that is configured.",
                remedy=f"Administrators: set oidc_issuer to exactly what {self.issuer} says it is.",
            )

        def address(name: str) -> str:
            url = document.get(name)
            if not isinstance(url, str) or not is_safe_url(url):
                raise SourceUnavailable(f"The login provider's description has no safe {name}.")
            return url

        return Endpoints(
            authorize=address("authorization_endpoint"),
            token=address("token_endpoint"),
            userinfo=address("userinfo_endpoint"),
            keys=address("jwks_uri"),
        )

    async def _get_json(self, url: str) -> dict[str, Any]:
        request = HTTPRequest(url, connect_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S, follow_redirects=False)
        try:
            answer = await AsyncHTTPClient(force_instance=True, max_body_size=MAX_ANSWER_BYTES).fetch(request)
            document = json.loads(answer.body)
        except Exception as error:  # any transport, size, or syntax problem means the same: it cannot be had
            raise SourceUnavailable(
                "The login provider cannot be reached at the moment.", remedy="Please try again in a few minutes."
            ) from error
        if not isinstance(document, dict):
            raise SourceUnavailable("The login provider answered with something that is not a description.")
        return document


def is_safe_url(url: str) -> bool:
    """Tell whether a provider's address may be used: https anywhere, http on this machine only."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def require_issuer(issuer: str) -> str:
    """Give the issuer back if it can be one.

    Raises:
        ConfigurationError: it is empty or would send logins over an open line.
    """
    if not is_safe_url(issuer):
        raise ConfigurationError(
            "UmbrellaAuthenticator.oidc_issuer",
            issuer,
            "is not an https:// address (http:// is accepted on this machine only)",
            remedy="Copy the 'issuer' of your provider's /.well-known/openid-configuration.",
        )
    return issuer


def _refused(why: str) -> Refused:
    return Refused(
        f"The login provider's answer was not accepted: {why}.", remedy="Please sign in again; if it stays, tell us."
    )
