"""Templates with fields of an identity: "{subject}", "{issuer}", "{claim.name}". Pure.

What a person chose may stand in any of them, so whoever fills one in says how a value is escaped there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from daas_hub.accounts.model import Identity
from daas_hub.errors import ErrorKind, NoAccount

_FIELD = re.compile(r"\{([^{}]*)\}")
_CLAIM = re.compile(r"claim\.[A-Za-z0-9_][A-Za-z0-9_.:/-]*")
_MOST = 1000


def fields_of(template: str, known: tuple[str, ...] = ("subject", "issuer")) -> tuple[str, ...]:
    """Return the fields of a template: those known, and any {claim.name}.

    Raises:
        ValueError: a field nobody knows, or a brace that belongs to none; in words for an administrator.
    """
    fields = tuple(_FIELD.findall(template))
    for field in fields:
        if field not in known and not ("subject" in known and _CLAIM.fullmatch(field)):
            named = ", ".join(f"{{{name}}}" for name in known) + (", {claim.name}" if "subject" in known else "")
            raise ValueError(f"knows no field {{{field}}}; known: {named}")
    rest = _FIELD.sub("", template)
    if "{" in rest or "}" in rest:
        raise ValueError("has a brace that belongs to no field")
    return fields


def claims_of(template: str) -> frozenset[str]:
    """Return the names of the claims a template reads."""
    return frozenset(field.removeprefix("claim.") for field in _FIELD.findall(template) if field.startswith("claim."))


def values_of(identity: Identity, template: str) -> dict[str, str]:
    """Return the value of every field of an identity's template.

    Raises:
        NoAccount: the login has no such claim, or it is not one plain text.
    """
    return {field: _value(identity, field) for field in _FIELD.findall(template)}


def fill(template: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    """Return the template with its fields replaced by escaped values; what is replaced is not read again."""
    return _FIELD.sub(lambda match: escape(values[match[1]]), template)


def _value(identity: Identity, field: str) -> str:
    found: object
    if field == "subject":
        found = identity.subject
    elif field == "issuer":
        found = identity.issuer
    else:
        found = identity.claims.get(field.removeprefix("claim."))
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not 1 <= len(found) <= _MOST or not found.isprintable():
        what = field.removeprefix("claim.")
        raise NoAccount(
            f"Your login does not say {what!r} in a way an account can be looked up with.",
            remedy="Please tell the user office.",
            kind=ErrorKind.MISSING_CLAIM,
        )
    return found
