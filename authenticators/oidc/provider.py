"""One OpenID provider as a client sees it: its discovery document, its keys, and the checks of an id_token.

The checks are those of OpenID Connect Core 1.0, 3.1.3.7. No error message contains a part of a token: messages end up
in logs and pages.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

from daas_hub.authenticators.oidc.http import LATER, HTTPSettings, ask
from daas_hub.errors import ErrorKind, Refused, SourceUnavailable
from daas_hub.services import strict_json
from daas_hub.services.web_proxy import LOOPBACK

#: Public-key signatures only: with HS256, anybody who knows the client secret could forge tokens; "none" is unsigned.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

MAX_TOKEN_BYTES = 16_384
LEEWAY_S = 60
#: An unknown key id makes the keys be fetched again, but not more often than this.
KEYS_AGAIN_S = 30.0
#: A discovery document is fetched again after this.
DISCOVERY_KEPT_S = 3600.0

#: Keys are fetched again after this: one that was stolen and withdrawn must stop working here, too.
KEYS_KEPT_S = 3600.0

#: Types of tokens (header `typ`) that are signed with the same keys and are not id_tokens.
_OTHER_KINDS = frozenset({"logout+jwt", "at+jwt", "secevent+jwt", "token-introspection+jwt"})


@dataclass(frozen=True)
class Endpoints:
    """The parts of a discovery document that are used.

    Attributes:
        end_session: where a browser is sent to sign out at the provider; "" if it has no such endpoint.
        names_itself: whether its authorization responses carry `iss` (RFC 9207).
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._http = http or HTTPSettings()
        self._clock = clock
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: dict[str, _Key] = {}
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

    async def verify(self, id_token: object, *, nonce: str | None) -> dict[str, Any]:
        """Return the claims of an id_token with a valid signature, issuer, audience, times and nonce.

        Args:
            nonce: the one this login sent; None for a token from a refresh, which has none.

        Raises:
            Refused: one of the checks failed; the message says which, and never contains the token.
            SourceUnavailable: the provider's keys are not available.
        """
        header, claims = await self.signed_claims(id_token, require=("iss", "sub", "aud", "exp", "iat"))
        if str(header.get("typ", "")).lower() in _OTHER_KINDS or "events" in claims:
            raise _refused("it is not an id_token")
        self._require_ours(claims, nonce)
        return claims

    async def signed_claims(self, token: object, *, require: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return header and claims of a token of this issuer for this client, with a valid signature and times.

        Raises:
            Refused: one of the checks failed; the message says which, and never contains the token.
            SourceUnavailable: the provider's keys are not available.
        """
        if not isinstance(token, str) or len(token) > MAX_TOKEN_BYTES or token.count(".") != 2 or not token.isascii():
            raise _refused("it is not a signed token")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise _refused("its header is malformed") from None
        if header.get("alg") not in ALGORITHMS or "crit" in header:
            raise _refused("its signature algorithm is not accepted")
        key = await self._key(header.get("kid"), header["alg"])
        try:
            claims = jwt.decode(
                token,
                key=key,
                algorithms=[header["alg"]],
                audience=self.client_id,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options={"require": list(require), "verify_signature": True},
            )
            for part in token.split(".")[:2]:
                strict_json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise _refused(type(error).__name__) from None
        if claims["iss"] != self.issuer:
            raise _refused("it is from another issuer")
        for name in ("exp", "iat", "nbf"):
            if not isinstance(claims.get(name, 0), int | float) or isinstance(claims.get(name), bool):
                raise _refused(f"its claim {name} is not a time")
        return header, claims

    def _require_ours(self, claims: dict[str, Any], nonce: str | None) -> None:
        """Check what the library leaves to us: subject, authorised party, nonce."""
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isprintable():
            raise _refused("its claim sub is not a valid identifier")
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
            raise _refused("it has several audiences and no authorised party (azp)")
        if claims.get("azp", self.client_id) != self.client_id:
            raise _refused("it was issued to another client")
        if nonce is not None and claims.get("nonce") != nonce:
            raise _refused("it does not belong to this login (nonce)")

    async def _key(self, key_id: object, algorithm: str) -> Any:
        """Return the provider's public key for a token's header.

        An unknown id makes the keys be fetched again, at most every half minute; withdrawn keys expire within an hour.
        """
        if self._clock() - self._keys_read > KEYS_KEPT_S:
            self._keys = {}
        key = self._known_key(key_id)
        if key is None and self._clock() - self._keys_asked > KEYS_AGAIN_S:
            await self._read_keys()
            key = self._known_key(key_id)
        if key is None and self._keys_asked > self._keys_read:
            raise SourceUnavailable("The login provider's keys are not available at the moment.", remedy=LATER)
        if key is None:
            raise _refused("it is signed with a key that the provider does not publish")
        if key.published_for not in (None, algorithm):
            raise _refused("its key is for another algorithm")
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


def _refused(why: str) -> Refused:
    return Refused(
        f"The login provider's response was not accepted: {why}.",
        remedy="Please sign in again. If it happens again, tell the administrators.",
    )
