"""Templates with fields of an identity: "{subject}", "{issuer}", "{claim.name}". Pure.

A value may be chosen by the person, so `fill` takes the function that escapes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from daas_hub.accounts.model import Identity
from daas_hub.errors import ErrorKind, NoAccount

_FIELD = re.compile(r"\{([^{}]*)\}")
_CLAIM = re.compile(r"claim\.[A-Za-z0-9_][A-Za-z0-9_.:/-]*")
_MAX_LENGTH = 1000


def fields_of(template: str, known: tuple[str, ...] = ("subject", "issuer")) -> tuple[str, ...]:
    """Return the fields of a template: those in `known`, and any {claim.name}.

    Raises:
        ValueError: an unknown field or an unmatched brace; the message is for administrators.
    """
    fields = tuple(_FIELD.findall(template))
    for field in fields:
        if field not in known and not ("subject" in known and _CLAIM.fullmatch(field)):
            named = ", ".join(f"{{{name}}}" for name in known) + (", {claim.name}" if "subject" in known else "")
            raise ValueError(f"has the unknown field {{{field}}}; known: {named}")
    rest = _FIELD.sub("", template)
    if "{" in rest or "}" in rest:
        raise ValueError("has an unmatched brace")
    return fields


def claims_of(template: str) -> frozenset[str]:
    """Return the names of the claims a template reads."""
    return frozenset(field.removeprefix("claim.") for field in _FIELD.findall(template) if field.startswith("claim."))


def values_of(identity: Identity, template: str) -> dict[str, str]:
    """Return the values of a template's fields for an identity.

    Raises:
        NoAccount: the login does not have the claim, or it is not a single string.
    """
    return {field: _value(identity, field) for field in _FIELD.findall(template)}


def fill(template: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    """Return the template with its fields replaced by escaped values; values are not expanded again."""
    return _FIELD.sub(lambda match: escape(values[match[1]]), template)


def _value(identity: Identity, field: str) -> str:
    found: object
    if field == "subject":
        found = identity.subject
    elif field == "issuer":
        found = identity.issuer
    else:
        found = identity.claims.get(field.removeprefix("claim."))
    if isinstance(found, list) and len(found) > 1:
        raise NoAccount(
            f"Your login has {len(found)} values of the claim {field.removeprefix('claim.')!r}, where one is expected.",
            remedy="Signing in again does not help. Please contact the user office.",
            kind=ErrorKind.MISSING_CLAIM,
        )
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not 1 <= len(found) <= _MAX_LENGTH or not found.isprintable():
        what = field.removeprefix("claim.")
        raise NoAccount(
            f"Your login has no usable claim {what!r} to look up your account with.",
            remedy="Please contact the user office.",
            kind=ErrorKind.MISSING_CLAIM,
        )
    return found
