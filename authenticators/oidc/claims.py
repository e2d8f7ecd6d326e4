"""Which claims of a login are kept. One that is too large, or at another address, never counts as missing. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from daas_hub.authenticators.oidc.provider import MAX_TOKEN_BYTES, too_long
from daas_hub.errors import ErrorKind, Refused


def kept_claims(
    claims: Mapping[str, Any],
    wanted: frozenset[str],
    groups_claim: str = "groups",
    *,
    max_bytes: int = MAX_TOKEN_BYTES,
) -> dict[str, Any]:
    """Return the claims that the configuration reads.

    Raises:
        Refused: one of them is larger than `max_bytes` as JSON; it must not be mistaken for a missing one.
    """
    if "groups" not in claims and groups_claim in claims:
        claims = {**claims, "groups": claims[groups_claim]}
    kept = {name: claims[name] for name in sorted(wanted) if name in claims}
    for name, value in kept.items():
        size = len(json.dumps(value))
        if size > max_bytes:
            count = f" with {len(value):,} values" if isinstance(value, list) else ""
            raise too_long(f"its claim {name}{count}", size, max_bytes)
    return kept


def require_complete(claims: Mapping[str, Any], wanted: frozenset[str], groups_claim: str) -> None:
    """Check that no claim that the configuration reads was replaced by a reference to another service.

    Microsoft Entra ID does this to a groups claim with more than 200 groups: `_claim_names` (OpenID Connect Core 1.0,
    5.6.2), or `hasgroups`.

    Raises:
        Refused: one was. Without it the person would have no groups.
    """
    names = claims.get("_claim_names")
    elsewhere = set(names) if isinstance(names, dict) else set()
    if claims.get("hasgroups") in (True, "true", "True"):
        elsewhere.add("groups")
    read = wanted | ({groups_claim} if "groups" in wanted else set())
    missing = sorted((read & elsewhere) - set(claims))
    if missing:
        raise Refused(
            f"The login provider did not send the claim {missing[0]}: it has too many values for its token, and is "
            "kept at another address.",
            remedy="Signing in again does not help. Please tell the administrators: the provider must limit this claim "
            "to the groups that are assigned to this portal, or the groups must come from a directory.",
            kind=ErrorKind.MISSING_CLAIM,
        )


def references_of(id_token: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an id_token says about claims that are elsewhere; userinfo does not repeat it."""
    return {name: id_token[name] for name in ("_claim_names", "hasgroups") if name in id_token}
