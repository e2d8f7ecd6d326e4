"""The checks of id_tokens and signed userinfo: OpenID Connect Core 1.0, 3.1.3.7 and 5.3.4.

No error message contains a part of a token: messages end up in logs and pages.
"""

from __future__ import annotations

import base64
from typing import Any

import jwt

from daas_hub.authenticators.oidc.provider import OpenIDProvider, refused, too_long
from daas_hub.services import strict_json

#: Public-key signatures only: with HS256, anybody who knows the client secret could forge tokens; "none" is unsigned.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

LEEWAY_S = 60

#: Types of tokens that are signed with the same keys and are not id_tokens.
_OTHER_TYPES = frozenset({"logout+jwt", "at+jwt", "secevent+jwt", "token-introspection+jwt"})


async def verify_id_token(provider: OpenIDProvider, id_token: object, *, nonce: str | None) -> dict[str, Any]:
    """Return the claims of an id_token with a valid signature, issuer, audience, times and nonce.

    Args:
        nonce: the one this login sent; None for a token from a refresh, which has none.

    Raises:
        Refused: one of the checks failed; the message says which.
        SourceUnavailable: the provider's keys are not available.
    """
    header, claims = await signed_claims(provider, id_token, require=("iss", "sub", "aud", "exp", "iat"))
    if token_type(header) in _OTHER_TYPES or "events" in claims:
        raise refused("it is not an id_token")
    _require_ours(claims, provider.client_id, nonce)
    return claims


async def verify_userinfo(provider: OpenIDProvider, token: str) -> dict[str, Any]:
    """Return the claims of a userinfo response that is a signed JWT.

    It came over TLS for our access token; issuer and audience are optional there, and compared where they are present.

    Raises:
        Refused: it is encrypted, or one of the checks failed.
        SourceUnavailable: the provider's keys are not available.
    """
    if token.count(".") == 4:
        raise refused("its userinfo is encrypted", "Ask the administrators to disable encryption of userinfo there.")
    header, claims = await signed_claims(provider, token, require=(), is_userinfo=True)
    if token_type(header) in _OTHER_TYPES or "events" in claims or "nonce" in claims:
        raise refused("its userinfo is another token")
    return claims


def token_type(header: dict[str, Any]) -> str:
    """Return the media type in `typ`, without the prefix "application/" that may be left out (RFC 7515, 4.1.9)."""
    return str(header.get("typ") or "").lower().removeprefix("application/")


async def signed_claims(
    provider: OpenIDProvider,
    token: object,
    *,
    require: tuple[str, ...],
    max_bytes: int | None = None,
    is_userinfo: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token of this issuer for this client, with a valid signature and times.

    Args:
        max_bytes: maximum size; None for the provider's.
        is_userinfo: whether issuer and audience may be missing.

    Raises:
        Refused: one of the checks failed; the message says which.
        SourceUnavailable: the provider's keys are not available.
    """
    if not isinstance(token, str) or not token.isascii():
        raise refused("it is not a signed token")
    limit = max_bytes or provider.max_token_bytes
    if len(token) > limit:
        raise too_long("its token", len(token), limit)
    if token.count(".") != 2:
        raise refused("it is not a signed token")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise refused("its header is malformed") from None
    if header.get("alg") not in ALGORITHMS or "crit" in header:
        what = "the signature algorithm of its userinfo" if is_userinfo else "its signature algorithm"
        raise refused(f"{what} is not accepted", f"Administrators: it must be one of {', '.join(ALGORITHMS)}.")
    key = await provider.key(header.get("kid"), header["alg"])
    try:
        claims = jwt.decode(
            token,
            key=key,
            algorithms=[header["alg"]],
            audience=provider.client_id,
            issuer=provider.issuer,
            leeway=LEEWAY_S,
            options={"require": list(require), "verify_signature": True, "verify_aud": False, "verify_iss": False}
            if is_userinfo
            else {"require": list(require), "verify_signature": True},
        )
        for part in token.split(".")[:2]:
            strict_json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise refused(type(error).__name__) from None
    if claims.get("iss", provider.issuer if is_userinfo else None) != provider.issuer:
        raise refused("it is from another issuer")
    audience = claims.get("aud", provider.client_id)
    if is_userinfo and provider.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise refused("its userinfo is for another client")
    for name in ("exp", "iat", "nbf"):
        if not isinstance(claims.get(name, 0), int | float) or isinstance(claims.get(name), bool):
            raise refused(f"its claim {name} is not a time")
    return header, claims


def _require_ours(claims: dict[str, Any], client_id: str, nonce: str | None) -> None:
    """Check what the library leaves to us: subject, authorised party, nonce."""
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isprintable():
        raise refused("its claim sub is not a valid identifier")
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
        raise refused("it has several audiences and no authorised party (azp)")
    if claims.get("azp", client_id) != client_id:
        raise refused("it was issued to another client")
    if nonce is not None and claims.get("nonce") != nonce:
        raise refused("it does not belong to this login (nonce)")
