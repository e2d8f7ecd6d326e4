"""What a directory's entries say: which is the person's, is it exactly theirs, what account follows. Pure."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daas_hub.accounts.model import Account
from daas_hub.accounts.refusals import LATER, unknown
from daas_hub.accounts.templates import fields_of, fill
from daas_hub.errors import AccountRefused, ErrorKind, SourceUnavailable

_log = logging.getLogger("jupyterhub.daas")
_ASSERTION = re.compile(r"\(([A-Za-z][A-Za-z0-9-]*)=([^()]*\{[^()]*)\)")
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,9}")


@dataclass(frozen=True)
class Entry:
    """An entry as the server gave it; the names of attributes in small letters."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]

    def values(self, name: str) -> tuple[bytes, ...]:
        """Return the values of an attribute; () for none."""
        return tuple(self.attributes.get(name.lower(), ()))


@dataclass(frozen=True)
class Found:
    """The answer to a search. `complete` is false if there is more, here or at another server."""

    entries: tuple[Entry, ...]
    complete: bool = True
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attributes:
    """Which attributes of an entry mean what."""

    name: str = "uid"
    uid: str = "uidNumber"
    gid: str = "gidNumber"
    display_name: str = "displayName"
    group_name: str = "cn"
    group_gid: str = "gidNumber"
    member_of: str = ""


def escaped(value: str) -> str:
    """Return a value escaped for a filter (RFC 4515): every octet but ASCII letters and digits as hexadecimal."""
    return "".join(
        chr(octet) if chr(octet).isascii() and chr(octet).isalnum() else f"\\{octet:02x}" for octet in value.encode()
    )


def assertions_of(template: str, known: tuple[str, ...] = ("subject", "issuer")) -> tuple[tuple[str, str], ...]:
    """Return the pairs (attribute, template of its value) of a filter that finds one person's entry.

    A directory compares loosely: capitals, blanks, look-alike letters. So each pair is compared again, exactly, with
    the entry that was found; and therefore each field must stand in one, and none below "or" or "not".

    Raises:
        ValueError: the filter is not of that form; in words for an administrator.
    """
    if not fields_of(template, known):
        raise ValueError("has no field: it would find the same entry for everybody")
    if not template.startswith("(") or template.count("(") != template.count(")"):
        raise ValueError("is not a filter in brackets")
    above: list[str] = []
    for place, letter in enumerate(template):
        if letter == "(":
            above.append(template[place + 1 : place + 2])
        elif letter == ")":
            above.pop()
        elif letter == "{" and {"|", "!"} & set(above):
            raise ValueError("has a field below 'or' or 'not': whom it finds could not be told")
    pairs = tuple(_ASSERTION.findall(template))
    rest = _ASSERTION.sub("", template)
    if "{" in rest or any("*" in value or "\\" in value for _, value in pairs):
        raise ValueError("has a field that is not in a plain (attribute={field})")
    return pairs


def the_one(found: Found) -> Entry:
    """Return the only entry of an answer.

    Raises:
        AccountRefused: there are several.
        NoAccount: there is none.
        SourceUnavailable: another server would have to be asked.
    """
    if len(found.entries) > 1:
        _log.error("directory: several entries for one login: %s", [entry.dn for entry in found.entries])
        raise AccountRefused(
            "The directory has more than one account for your login, and none of them was chosen.",
            remedy="Please tell the user office: your login must lead to exactly one account.",
            kind=ErrorKind.AMBIGUOUS_ACCOUNT,
        )
    if found.elsewhere or not found.complete:
        _log.error("directory: the answer is not whole; it refers to %s", found.elsewhere)
        raise SourceUnavailable(
            "The facility's directory gave only a part of the answer.", remedy=LATER, kind=ErrorKind.INCOMPLETE_RESULT
        )
    if not found.entries:
        raise unknown()
    return found.entries[0]


def require_exact(entry: Entry, pairs: Sequence[tuple[str, str]], values: Mapping[str, str]) -> Entry:
    """Return the entry back if it says letter by letter what was asked for.

    Raises:
        NoAccount: the directory took something similar for the same, for instance "Anna" for "anna".
    """
    for attribute, template in pairs:
        if fill(template, values).encode() not in entry.values(attribute):
            _log.warning("directory: %s was found, but its %s is not exactly what was asked for", entry.dn, attribute)
            raise unknown()
    return entry


def account_of_entries(entry: Entry, groups: Sequence[Entry], names: Attributes) -> Account:
    """Return the account that a person's entry and those of its groups describe.

    Raises:
        AccountRefused: an attribute is missing, stands twice, or is no number.
    """
    numbers: dict[int, str] = {}
    memberships: set[str] = set()
    for group in groups:
        labels = [text for value in group.values(names.group_name) if (text := plain_text(value))]
        memberships.update(labels)
        if group.values(names.group_gid):
            numbers[_number(group, names.group_gid)] = labels[0] if labels else ""
    name = plain_text(single(entry, names.name))
    if not name:
        raise _refused(entry, f"its {names.name} is not text")
    shown = entry.values(names.display_name)
    return Account(
        name=name,
        uid=_number(entry, names.uid),
        gid=_number(entry, names.gid),
        groups=tuple(sorted(numbers)),
        group_names={number: label for number, label in numbers.items() if label},
        display_name=plain_text(shown[0])[:200] if shown else "",
        memberships=frozenset(memberships),
    )


def single(entry: Entry, attribute: str) -> bytes:
    """Return the only value of an attribute.

    Raises:
        AccountRefused: it has none, or several.
    """
    values = entry.values(attribute)
    if len(values) != 1:
        raise _refused(entry, f"it has {len(values)} values of {attribute}, and needs exactly one")
    return values[0]


def _number(entry: Entry, attribute: str) -> int:
    value = single(entry, attribute)
    if not _NUMBER.fullmatch(value):
        raise _refused(entry, f"its {attribute} is not a number")
    return int(value)


def plain_text(value: bytes) -> str:
    """Return a value as text; "" if it is none, or could not stand in a log."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def _refused(entry: Entry, why: str) -> AccountRefused:
    _log.error("directory: %s cannot be used: %s", entry.dn, why)
    return AccountRefused(
        f"Your entry in the facility's directory cannot be used: {why}.", remedy="Please tell the user office."
    )
