"""What is searched for where, and the searches for a person's groups: listed, nested, and the primary one."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from daas_hub.accounts.model import AccountFields
from daas_hub.accounts.refusals import TRY_AGAIN
from daas_hub.accounts.sources.ldap.connection import Search, ServerRefused
from daas_hub.accounts.sources.ldap.entries import (
    SID,
    Entry,
    SearchResult,
    domain_of,
    escape,
    joined,
    octets,
    plain_text,
    refused,
    single_value,
    without_referrals,
)
from daas_hub.accounts.sources.ldap.servers import Ask
from daas_hub.accounts.sources.ldap.sids import IdMapping, Sid, sid_bytes, sid_of
from daas_hub.accounts.templates import fill
from daas_hub.errors import ErrorKind, SourceUnavailable

_log = logging.getLogger("jupyterhub.daas")

#: The attributes that a filter compares with a value of the login or the account.
_COMPARED = re.compile(r"\(([A-Za-z][A-Za-z0-9.;-]*)(?::[0-9A-Za-z.]*)*[~<>]?=[^()]*\{")


@dataclass(frozen=True)
class Searches:
    """Search bases and filters; see `LdapAccounts`."""

    person_base: str | tuple[str, ...]
    person_filter: str
    attributes: AccountFields
    account_filter: str = "(objectClass=posixAccount)"
    group_base: str | tuple[str, ...] = ""
    group_filter: str = "(&(objectClass=posixGroup)(memberUid={account}))"
    max_groups: int = 1000
    case_sensitive: bool = False
    primary_group_attribute: str = ""
    required_attributes: tuple[str, ...] = ()
    ignored_account_state: frozenset[str] = frozenset()
    ignored_referrals: tuple[str, ...] = ()
    id_mapping: IdMapping | None = None
    is_active_directory: bool = False

    @property
    def person_bases(self) -> tuple[str, ...]:
        """The search bases for people."""
        return _several(self.person_base)

    @property
    def group_bases(self) -> tuple[str, ...]:
        """The search bases for groups; () if they are not searched for."""
        return _several(self.group_base)


def _several(base: str | tuple[str, ...]) -> tuple[str, ...]:
    return (base,) if isinstance(base, str) and base else tuple(base)


def search_all(ask: Ask, where: Searches, bases: Sequence[str], search: Search) -> SearchResult:
    """Return the result of one search below several bases."""
    return without_referrals(joined([ask(replace(search, base=base)) for base in bases]), where.ignored_referrals)


def require_visible(ask: Ask, where: Searches, bases: Sequence[str], template: str) -> None:
    """Check that the portal may still see entries of this kind, after a search that found nothing.

    To a login without rights everybody is unknown, and nobody is in any group: an anonymous bind, or one that the
    directory's access rules no longer allow to read. So is whatever was moved out of the base.

    Args:
        template: the filter of that search; some entry must have an attribute that it compares.

    Raises:
        ServerRefused: it sees no such entry.
    """
    names = dict.fromkeys(_COMPARED.findall(template)) or ("objectClass",)
    presence = "".join(f"({name}=*)" for name in names)
    wanted = f"(|{presence})" if len(names) > 1 else presence
    # the base itself has an objectClass, and is none of them
    found = search_all(ask, where, bases, Search("", wanted, ("1.1",), 2))
    if not found.referrals and not [one for one in found.entries if one.dn.lower() not in map(str.lower, bases)]:
        raise ServerRefused(
            f"no entry below {', '.join(bases)} with {' or '.join(names)} is visible to the portal: they were "
            "moved, or bind_dn may not read them",
            ErrorKind.NO_PERMISSION,
        )


def primary_group(ask: Ask, where: Searches, entry: Entry) -> Entry | None:
    """Return the primary group that an Active Directory names by its number in the domain; None without one."""
    names = where.attributes
    if not where.primary_group_attribute or not entry.values(where.primary_group_attribute):
        return None
    try:
        rid = int(plain_text(single_value(entry, where.primary_group_attribute)))
        sid = sid_bytes(Sid(sid_of(single_value(entry, SID)).domain, rid))
    except ValueError as error:
        raise refused(entry, f"its primary group cannot be read: it {error}") from None
    asked = f"(objectSid={octets(sid)})"
    found = search_all(
        ask, where, (domain_of(entry.dn),), Search("", asked, (names.group_name, names.group_gid, SID), 2)
    )
    if len(found.entries) == 1:
        return found.entries[0]
    _log.warning("directory: the primary group %d of %s was not found", rid, entry.dn)
    # its number is enough where numbers are calculated
    return Entry("", {SID.lower(): [sid]}) if where.id_mapping else None


def groups_of(ask: Ask, where: Searches, entry: Entry, primary: Entry | None) -> list[Entry]:
    """Return the entries of a person's groups, all of them.

    Raises:
        SourceUnavailable: they are too many, or the directory did not return all.
    """
    names = where.attributes
    wanted = tuple(name for name in (names.group_name, names.group_gid, SID if where.id_mapping else "") if name)
    groups: dict[str, Entry] = {primary.dn: primary} if primary is not None else {}
    if where.group_bases:
        name = plain_text(single_value(entry, names.name))
        # nobody is listed as a member of their primary group, which may be in other groups
        dns = [
            entry.dn,
            *([primary.dn] if primary is not None and primary.dn and "{dn}" in where.group_filter else []),
        ]
        for dn in dns:
            asked = fill(where.group_filter, {"account": name, "dn": dn}, escape)
            found = search_all(ask, where, where.group_bases, Search("", asked, wanted, where.max_groups, paged=True))
            if not found.complete or found.referrals:
                raise _too_many(entry, where.max_groups, found)
            groups |= {group.dn: group for group in found.entries}
    if names.groups:
        groups |= _listed_groups(ask, where, entry, wanted, groups)
    if len(groups) > where.max_groups:
        raise _too_many(entry, where.max_groups, SearchResult(tuple(groups.values()), complete=False))
    return list(groups.values())


def _listed_groups(
    ask: Ask, where: Searches, entry: Entry, wanted: tuple[str, ...], known: Mapping[str, Entry]
) -> dict[str, Entry]:
    """Return the groups whose DNs the person's entry lists."""
    dns = entry.values(where.attributes.groups)
    if len(dns) > where.max_groups:
        raise _too_many(entry, where.max_groups, SearchResult((entry,) * len(dns), complete=False))
    groups: dict[str, Entry] = {}
    for dn in dict.fromkeys(plain_text(value) for value in dns):
        if dn and dn not in known:
            found = ask(Search(dn, "", wanted, 1))
            if found.referrals:
                raise _too_many(entry, where.max_groups, found)
            groups |= {group.dn: group for group in found.entries}
    return groups


def _too_many(entry: Entry, limit: int, found: SearchResult) -> SourceUnavailable:
    """Return the error for groups that are not all there: over the portal's limit, or cut off by the server."""
    if len(found.entries) > limit:
        _log.error("directory: %s has more than %d groups (LdapAccounts.max_groups)", entry.dn, limit)
        return SourceUnavailable(
            "The facility's directory did not return all your groups: "
            f"you have more than {limit}, the limit of this portal.",
            remedy="Trying again does not help. Please ask the administrators to raise LdapAccounts.max_groups.",
            kind=ErrorKind.INCOMPLETE_RESULT,
        )
    if found.referrals:
        _log.error("directory: the groups of %s are partly at another server: %s", entry.dn, found.referrals)
        remedy = TRY_AGAIN
    else:
        _log.error(
            "directory: the server returned %d groups of %s, and has more: raise its size limit for the portal, or let "
            "it return pages",
            len(found.entries),
            entry.dn,
        )
        remedy = "Trying again does not help. Please tell the administrators: it is a limit of the directory."
    return SourceUnavailable(
        f"The facility's directory did not return all your groups, but only {len(found.entries)} of them.",
        remedy=remedy,
        kind=ErrorKind.INCOMPLETE_RESULT,
    )
