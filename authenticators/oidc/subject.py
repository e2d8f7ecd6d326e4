"""Which claim of a login identifies the person. Pure, and strict: a mistake here turns one person into another.

The key of an identity is (issuer, subject). The subject is the value of one claim, and `subject_claims` lists the
spellings of that claim which the provider may use. There is no fallback from one claim to another:

* if the claim is missing at a login (a scope was not granted, a mapper was changed, an attribute filter failed), the
  login is refused. Using `sub` instead would silently create a second account for the same person, or open the account
  of somebody else whose voperson_id happens to equal that `sub`: both would be keys of the same issuer.
* if two spellings are present, their values must be equal.
* therefore `sub` is used alone or not at all. It is always checked as well: id_token and userinfo must agree on it.

E-mail addresses and user names are refused as subjects: they change, and may be reassigned to somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from daas_hub.errors import Refused

MAX_CHARACTERS = 255

#: They may change, be chosen by their owner, or be reassigned to another person.
NEVER_SUBJECTS = frozenset(
    {
        "cn",
        "display_name",
        "email",
        "family_name",
        "given_name",
        "groups",
        "mail",
        "name",
        "nickname",
        "phone_number",
        "preferred_username",
        "uid",
        "unique_name",
        "upn",
        "username",
        "verified_email",
        "voperson_verified_email",
    }
)


def what_is_wrong_with(subject_claims: Sequence[str]) -> str:
    """Return why these claims cannot identify people; "" if they can."""
    if not subject_claims or len(set(subject_claims)) != len(subject_claims):
        return "names no claim, or the same claim twice"
    for name in subject_claims:
        if not name or not name.isascii() or not name.isprintable() or " " in name:
            return f"{name!r} is not the name of a claim"
        if name.lower() in NEVER_SUBJECTS:
            return f"{name} can change, or be given to somebody else: it must not identify people"
    if "sub" in subject_claims and len(subject_claims) > 1:
        return "a login without the other claim would fall back to sub, and become a different person"
    if len({name.lower().replace("_", "").replace("-", "") for name in subject_claims}) > 1:
        return "they are different claims, not spellings of the same one"
    return ""


def subject_of(subject_claims: Sequence[str], id_token: Mapping[str, Any], userinfo: Mapping[str, Any]) -> str:
    """Return the subject of a login whose id_token and userinfo have the same `sub`.

    Raises:
        Refused: the claim is missing, is not a string, or has two different values.
    """
    found = {value for claims in (id_token, userinfo) for value in _values(subject_claims, claims)}
    if not found:
        raise Refused(
            f"The login provider did not send the claim {' or '.join(subject_claims)} that identifies you.",
            remedy="Please tell the administrators; the provider must release it to this portal.",
        )
    if len(found) > 1:
        raise Refused("The login provider sent claims of two different people.", remedy="Please sign in again.")
    return found.pop()


def _values(subject_claims: Sequence[str], claims: Mapping[str, Any]) -> list[str]:
    return [usable(name, claims[name]) for name in subject_claims if claims.get(name) not in (None, "", [])]


def usable(name: str, value: object) -> str:
    """Return a valid subject; a list with a single string counts as that string, as some mappers send it.

    Raises:
        Refused: it is anything else.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_CHARACTERS or not value.isprintable():
        raise Refused(
            f"The login provider's {name} is not a valid identifier.", remedy="Please tell the administrators."
        )
    if value != value.strip():
        raise Refused(
            f"The login provider's {name} begins or ends with a space.", remedy="Please tell the administrators."
        )
    return value
