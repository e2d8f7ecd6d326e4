"""Accounts from an LDAP directory (decision 11): what it is asked about people and their groups.

How its servers are reached is in `ldapservers.py`; what an answer means is decided in `entries.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from daas_hub.accounts.model import Account, Identity
from daas_hub.accounts.refusals import LATER, unknown
from daas_hub.accounts.sources.ldap.connection import Search, Server
from daas_hub.accounts.sources.ldap.entries import (
    Attributes,
    Entry,
    account_of_entries,
    assertions_of,
    escaped,
    plain_text,
    require_exact,
    single,
    the_one,
)
from daas_hub.accounts.sources.ldap.servers import Ask, LdapServers
from daas_hub.accounts.templates import claims_of, fill, values_of
from daas_hub.errors import ErrorKind, NoAccount, SourceUnavailable

_log = logging.getLogger("jupyterhub.daas")


@dataclass(frozen=True)
class Searches:
    """Where entries are looked for, and how; see `LdapAccounts` for each."""

    person_base: str
    person_filter: str
    account_filter: str = "(objectClass=posixAccount)"
    group_base: str = ""
    group_filter: str = "(&(objectClass=posixGroup)(memberUid={account}))"
    max_groups: int = 1000
    attributes: Attributes = field(default_factory=Attributes)


class LdapDirectory:
    """An account source that asks a directory, anew each time."""

    def __init__(
        self,
        server: Server,
        searches: Searches,
        issuers: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._searches = searches
        self.issuers = issuers
        self._pairs = assertions_of(searches.person_filter)
        self._servers = LdapServers(server, clock)
        self.claims = claims_of(searches.person_filter)

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`)."""
        if self.issuers and identity.issuer not in self.issuers:
            raise unknown()
        values = values_of(identity, self._searches.person_filter)
        return await self._in_thread(self._searches.person_filter, self._pairs, values)

    async def account_named(self, name: str) -> Account:
        """Return the account of exactly this name (see `NamedAccounts`)."""
        pair = (self._searches.attributes.name, "{account}")
        template = f"(&{self._searches.account_filter}({pair[0]}={pair[1]}))"
        return await self._in_thread(template, (pair,), {"account": name})

    async def name_if_password(self, name: str, password: str) -> str:
        """Return the account name, as the directory writes it, if name and password are right; else "".

        The server itself compares them, when it is asked to let the person in; the connection must be encrypted.

        Raises:
            SourceUnavailable: it could not be asked.
            AccountRefused: several entries have this name, or it has none to be called by.
        """
        if not name or not password or "\0" in password:
            return ""  # a bind without a password succeeds, and says nothing
        return await self._servers.in_time(lambda until: self._name_if(name, password, until), " about a password")

    def _name_if(self, name: str, password: str, until: float) -> str:
        where, wanted = self._searches, self._searches.attributes.name
        template = f"(&{where.account_filter}({wanted}={{account}}))"
        search = Search(where.person_base, fill(template, {"account": name}, escaped), (wanted,), 2)
        try:
            entry = the_one(self._servers.ask(lambda ask: ask(search), until))
            told = plain_text(single(entry, wanted))
        except NoAccount:
            # it takes as long as for a name that is there
            self._servers.lets_in(f"cn=nobody,{where.person_base}", password, until)
            return ""
        # directories take other letters for the same: capitals are, look-alikes are not
        is_same = bool(told) and told.lower() == name.lower()
        return told if self._servers.lets_in(entry.dn, password, until) and is_same else ""

    def close(self) -> None:
        """End the threads and the connections."""
        self._servers.close()

    async def _in_thread(self, template: str, pairs: Sequence[tuple[str, str]], values: Mapping[str, str]) -> Account:
        return await self._servers.in_time(
            lambda until: self._servers.ask(lambda ask: self._look_up(ask, template, pairs, values), until)
        )

    def _look_up(self, ask: Ask, template: str, pairs: Sequence[tuple[str, str]], values: Mapping[str, str]) -> Account:
        where, names = self._searches, self._searches.attributes
        wanted = {names.name, names.uid, names.gid, names.display_name, names.member_of, *(name for name, _ in pairs)}
        found = ask(Search(where.person_base, fill(template, values, escaped), tuple(sorted(wanted - {""})), 2))
        entry = require_exact(the_one(found), pairs, values)
        return account_of_entries(entry, self._groups(ask, entry), names)

    def _groups(self, ask: Ask, entry: Entry) -> list[Entry]:
        where, names = self._searches, self._searches.attributes
        wanted = (names.group_name, names.group_gid)
        groups: dict[str, Entry] = {}
        if where.group_base:
            name = plain_text(single(entry, names.name))
            asked = fill(where.group_filter, {"account": name, "dn": entry.dn}, escaped)
            found = ask(Search(where.group_base, asked, wanted, where.max_groups))
            if not found.complete or found.elsewhere:
                raise _too_many(entry, where.max_groups)
            groups = {group.dn: group for group in found.entries}
        if names.member_of:
            told = entry.values(names.member_of)
            if len(told) > where.max_groups:
                raise _too_many(entry, where.max_groups)
            for dn in dict.fromkeys(plain_text(value) for value in told):
                if dn and dn not in groups:
                    found = ask(Search(dn, "", wanted, 1))
                    if found.elsewhere:
                        raise _too_many(entry, where.max_groups)
                    groups |= {group.dn: group for group in found.entries}
        return list(groups.values())


def _too_many(entry: Entry, most: int) -> SourceUnavailable:
    _log.error("directory: the groups of %s are not told whole, or are more than %d", entry.dn, most)
    return SourceUnavailable(
        "The facility's directory did not tell all your groups.", remedy=LATER, kind=ErrorKind.INCOMPLETE_RESULT
    )
