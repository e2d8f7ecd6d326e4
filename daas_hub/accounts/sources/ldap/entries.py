"""From LDAP entries to an account: the one entry of a person, exactly matched, and its attributes. Pure."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from daas_hub.accounts.model import Account, AccountFields
from daas_hub.accounts.refusals import TRY_AGAIN, no_account
from daas_hub.accounts.sources.ldap.sids import IdMapping, sid_of
from daas_hub.accounts.templates import fields_of, fill
from daas_hub.errors import AccountRefused, ErrorKind, SourceUnavailable

_log = logging.getLogger("jupyterhub.daas")
_ASSERTION = re.compile(r"\(([A-Za-z][A-Za-z0-9-]*)=([^()]*\{[^()]*)\)")
SID = "objectSid"
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,9}")


@dataclass(frozen=True)
class Entry:
    """An LDAP entry; names of attributes are in lower case."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]

    def values(self, name: str) -> tuple[bytes, ...]:
        """Return the values of an attribute, or ()."""
        return tuple(self.attributes.get(name.lower(), ()))


@dataclass(frozen=True)
class SearchResult:
    """The result of a search. `complete` is False if there are more entries, here or at another server."""

    entries: tuple[Entry, ...]
    complete: bool = True
    referrals: tuple[str, ...] = ()


def escape(value: str) -> str:
    """Escape a value for a filter (RFC 4515): every octet but ASCII letters and digits in hexadecimal."""
    return "".join(
        chr(octet) if chr(octet).isascii() and chr(octet).isalnum() else f"\\{octet:02x}" for octet in value.encode()
    )


def octets(value: bytes) -> str:
    """Return a binary value for a filter (RFC 4515)."""
    return "".join(f"\\{octet:02x}" for octet in value)


def assertions_of(template: str, known: tuple[str, ...] = ("subject", "issuer")) -> tuple[tuple[str, str], ...]:
    """Return the pairs (attribute, template of its value) of a filter for one person's entry.

    LDAP matching ignores case, some spaces and more. So each pair is compared again, exactly, with the entry found;
    therefore each field must be in such a pair, and none below "or" or "not".

    Raises:
        ValueError: the filter has another form; the message is for administrators.
    """
    if not fields_of(template, known):
        raise ValueError("has no field, so everybody would get the same entry")
    if not template.startswith("(") or template.count("(") != template.count(")"):
        raise ValueError("is not a filter in parentheses")
    above: list[str] = []
    for place, letter in enumerate(template):
        if letter == "(":
            above.append(template[place + 1 : place + 2])
        elif letter == ")":
            above.pop()
        elif letter == "{" and {"|", "!"} & set(above):
            raise ValueError("has a field below 'or' or 'not', where it does not identify a person")
    pairs = tuple(_ASSERTION.findall(template))
    rest = _ASSERTION.sub("", template)
    if "{" in rest or any("*" in value or "\\" in value for _, value in pairs):
        raise ValueError("has a field outside a plain (attribute={field})")
    return pairs


def single_entry(found: SearchResult) -> Entry:
    """Return the only entry of a search result.

    Raises:
        AccountRefused: there are several entries.
        NoAccount: there is no entry.
        SourceUnavailable: the result is incomplete, or refers to another server.
    """
    if len(found.entries) > 1:
        _log.error("directory: several entries for one login: %s", [entry.dn for entry in found.entries])
        raise AccountRefused(
            "The directory has more than one account for your login.",
            remedy="Please contact the user office: your login must match exactly one account.",
            kind=ErrorKind.AMBIGUOUS_ACCOUNT,
        )
    if found.referrals or not found.complete:
        _log.error("directory: incomplete result, referrals: %s", found.referrals)
        raise SourceUnavailable(
            "The facility's directory returned an incomplete answer.",
            remedy=TRY_AGAIN,
            kind=ErrorKind.INCOMPLETE_RESULT,
        )
    if not found.entries:
        raise no_account()
    return found.entries[0]


def require_exact(
    entry: Entry, pairs: Sequence[tuple[str, str]], values: Mapping[str, str], *, folds_case: bool = False
) -> Entry:
    """Return the entry if its values are exactly those in the filter.

    Args:
        folds_case: whether ASCII letters match in either case, as they do in the directory.

    Raises:
        NoAccount: the directory matched a similar value, "anna " for "anna" for example.
    """
    for attribute, template in pairs:
        wanted, found = fill(template, values).encode(), entry.values(attribute)
        # bytes fold ASCII letters only
        if wanted not in found and not (folds_case and wanted.lower() in {one.lower() for one in found}):
            _log.warning("directory: found %s, but its %s is not exactly the requested value", entry.dn, attribute)
            raise no_account()
    return entry


def joined(results: Sequence[SearchResult]) -> SearchResult:
    """Return the results of several searches as one, each entry once."""
    entries = {entry.dn.lower(): entry for result in results for entry in result.entries}
    referrals = tuple(uri for result in results for uri in result.referrals)
    return SearchResult(tuple(entries.values()), all(result.complete for result in results), referrals)


def without_referrals(found: SearchResult, ignored: Sequence[str]) -> SearchResult:
    """Return a result without its references to partitions that hold no people and no groups.

    Args:
        ignored: the beginnings of their DNs.
    """
    if not found.complete:
        return found
    beginnings = tuple(f"{one.lower()}," for one in ignored)
    left = [uri for uri in found.referrals if not unquote(urlsplit(uri).path)[1:].lower().startswith(beginnings)]
    return replace(found, referrals=tuple(left))


#: Returns the number of an entry, given the attribute that has it.
Number = Callable[["Entry", str], int]


def attribute_number(entry: Entry, attribute: str) -> int:
    """Return the number in an attribute; see `single_value`."""
    value = single_value(entry, attribute)
    if not _NUMBER.fullmatch(value):
        raise refused(entry, f"its {attribute} is not a number")
    return int(value)


def mapped_number(ids: IdMapping) -> Number:
    """Return a function that calculates numbers from objectSid, whatever the attribute."""

    def number(entry: Entry, attribute: str) -> int:
        try:
            return ids.number_of(sid_of(single_value(entry, SID)))
        except ValueError as error:
            raise refused(entry, f"its {SID} {error}") from None

    return number


def account_of_entries(
    entry: Entry,
    groups: Sequence[Entry],
    names: AccountFields,
    *,
    primary: Entry | None = None,
    ids: IdMapping | None = None,
) -> Account:
    """Return the account of a person's entry and the entries of their groups.

    Args:
        primary: the entry of the primary group, where the person's entry names it (Active Directory).
        ids: how numbers are calculated; None for those in attributes.

    Raises:
        AccountRefused: an attribute is missing, has several values, or is not a number.
    """
    number = mapped_number(ids) if ids else attribute_number
    numbers: dict[int, str] = {}
    memberships: set[str] = set()
    for group in groups:
        labels = [text for value in group.values(names.group_name) if (text := plain_text(value))]
        memberships.update(labels)
        if has_domain_sid(group) if ids else group.values(names.group_gid):
            numbers[number(group, names.group_gid)] = labels[0] if labels else ""
    name = plain_text(single_value(entry, names.name))
    if not name:
        raise refused(entry, f"its {names.name} is not printable text")
    display_names = entry.values(names.display_name)
    of_primary = primary is not None and (ids is not None or not entry.values(names.gid))
    gid = number(primary, names.group_gid) if primary and of_primary else number(entry, names.gid)
    return Account(
        name=name,
        uid=number(entry, names.uid),
        gid=gid,
        groups=tuple(sorted(set(numbers) - {gid})),
        group_names={number: label for number, label in numbers.items() if label},
        display_name=plain_text(display_names[0])[:200] if display_names else "",
        memberships=frozenset(memberships),
    )


def single_value(entry: Entry, attribute: str) -> bytes:
    """Return the only value of an attribute.

    Raises:
        AccountRefused: it has none, or several.
    """
    values = entry.values(attribute)
    if len(values) != 1:
        raise refused(entry, f"it has {len(values)} values of {attribute} instead of one")
    return values[0]


def has_domain_sid(entry: Entry) -> bool:
    """Return whether an entry has the security identifier of a domain; built-in groups have not."""
    try:
        return bool([sid_of(value) for value in entry.values(SID)])
    except ValueError:
        return False


def domain_of(dn: str) -> str:
    """Return the DN of the domain that an entry is in: its last parts that begin with "DC="."""
    parts = dn.split(",")
    start = next((i for i in range(len(parts)) if all(one.strip().lower().startswith("dc=") for one in parts[i:])), 0)
    return ",".join(parts[start:])


def plain_text(value: bytes) -> str:
    """Return a value as text; "" if it is not UTF-8 or not printable."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def refused(entry: Entry, why: str) -> AccountRefused:
    """Return the error for an entry that cannot be used."""
    _log.error("directory: %s is unusable: %s", entry.dn, why)
    return AccountRefused(
        f"Your entry in the facility's directory is unusable: {why}.", remedy="Please contact the user office."
    )
