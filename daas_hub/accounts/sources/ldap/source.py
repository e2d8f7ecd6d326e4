"""The account source "ldap" (decision 11): searches for people and their groups, and password checks.

`servers.py` reaches the servers; `entries.py` decides what an answer means.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from daas_hub.accounts.model import Account, AccountFields, Identity
from daas_hub.accounts.refusals import TRY_AGAIN, no_account
from daas_hub.accounts.sources.ldap.connection import Search, Server
from daas_hub.accounts.sources.ldap.entries import (
    Entry,
    account_of_entries,
    assertions_of,
    escape,
    plain_text,
    require_exact,
    single_entry,
    single_value,
)
from daas_hub.accounts.sources.ldap.servers import Ask, LdapServers
from daas_hub.accounts.templates import claims_of, fill, values_of
from daas_hub.errors import ErrorKind, NoAccount, SourceUnavailable

_log = logging.getLogger("jupyterhub.daas")


@dataclass(frozen=True)
class Searches:
    """Search bases and filters; see `LdapAccounts`."""

    person_base: str
    person_filter: str
    attributes: AccountFields
    account_filter: str = "(objectClass=posixAccount)"
    group_base: str = ""
    group_filter: str = "(&(objectClass=posixGroup)(memberUid={account}))"
    max_groups: int = 1000


class LdapSource:
    """An account source that asks a directory each time."""

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
            raise no_account()
        values = values_of(identity, self._searches.person_filter)
        return await self._in_thread(self._searches.person_filter, self._pairs, values)

    async def account_named(self, name: str) -> Account:
        """Return the account of exactly this name (see `NamedAccounts`)."""
        pair = (self._searches.attributes.name, "{account}")
        template = f"(&{self._searches.account_filter}({pair[0]}={pair[1]}))"
        return await self._in_thread(template, (pair,), {"account": name})

    async def name_if_password(self, name: str, password: str) -> str:
        """Return the account name, as the directory spells it, if name and password are correct; else "".

        They are checked by a bind over an encrypted connection.

        Raises:
            SourceUnavailable: the directory did not answer.
            AccountRefused: several entries have this name, or the entry has no single name.
        """
        if not name or not password or "\0" in password:
            return ""  # a bind with an empty password succeeds, and proves nothing
        return await self._servers.run(lambda until: self._name_if(name, password, until), " about a password")

    def _name_if(self, name: str, password: str, until: float) -> str:
        where, wanted = self._searches, self._searches.attributes.name
        template = f"(&{where.account_filter}({wanted}={{account}}))"
        search = Search(where.person_base, fill(template, {"account": name}, escape), (wanted,), 2)
        try:
            entry = single_entry(self._servers.ask(lambda ask: ask(search), until))
            found = plain_text(single_value(entry, wanted))
        except NoAccount:
            # takes as long as for an existing name
            self._servers.accepts_password(f"cn=nobody,{where.person_base}", password, until)
            return ""
        # LDAP matching may ignore more than case
        is_same = bool(found) and found.lower() == name.lower()
        return found if self._servers.accepts_password(entry.dn, password, until) and is_same else ""

    def close(self) -> None:
        """Shut down the threads and close the connections."""
        self._servers.close()

    async def _in_thread(self, template: str, pairs: Sequence[tuple[str, str]], values: Mapping[str, str]) -> Account:
        return await self._servers.run(
            lambda until: self._servers.ask(lambda ask: self._look_up(ask, template, pairs, values), until)
        )

    def _look_up(self, ask: Ask, template: str, pairs: Sequence[tuple[str, str]], values: Mapping[str, str]) -> Account:
        where, names = self._searches, self._searches.attributes
        wanted = {names.name, names.uid, names.gid, names.display_name, names.groups, *(name for name, _ in pairs)}
        found = ask(Search(where.person_base, fill(template, values, escape), tuple(sorted(wanted - {""})), 2))
        entry = require_exact(single_entry(found), pairs, values)
        return account_of_entries(entry, self._groups(ask, entry), names)

    def _groups(self, ask: Ask, entry: Entry) -> list[Entry]:
        where, names = self._searches, self._searches.attributes
        wanted = (names.group_name, names.group_gid)
        groups: dict[str, Entry] = {}
        if where.group_base:
            name = plain_text(single_value(entry, names.name))
            asked = fill(where.group_filter, {"account": name, "dn": entry.dn}, escape)
            found = ask(Search(where.group_base, asked, wanted, where.max_groups))
            if not found.complete or found.referrals:
                raise _too_many(entry, where.max_groups)
            groups = {group.dn: group for group in found.entries}
        if names.groups:
            dns = entry.values(names.groups)
            if len(dns) > where.max_groups:
                raise _too_many(entry, where.max_groups)
            for dn in dict.fromkeys(plain_text(value) for value in dns):
                if dn and dn not in groups:
                    found = ask(Search(dn, "", wanted, 1))
                    if found.referrals:
                        raise _too_many(entry, where.max_groups)
                    groups |= {group.dn: group for group in found.entries}
        return list(groups.values())


def _too_many(entry: Entry, limit: int) -> SourceUnavailable:
    _log.error("directory: the groups of %s are incomplete, or more than %d", entry.dn, limit)
    return SourceUnavailable(
        "The facility's directory did not return all your groups.",
        remedy=TRY_AGAIN,
        kind=ErrorKind.INCOMPLETE_RESULT,
    )
