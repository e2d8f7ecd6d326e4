"""The account source "ldap" (decision 11): searches for people and their groups, and password checks.

`servers.py` reaches the servers; `entries.py` decides what an answer means, `account_state.py` whether the directory
has closed the account.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from daas_hub.accounts.model import Account, Identity
from daas_hub.accounts.refusals import AccountClosed, no_account
from daas_hub.accounts.sources.ldap.account_state import CHECKS, closed_by, refusal_of
from daas_hub.accounts.sources.ldap.connection import Search, Server, ServerRefused
from daas_hub.accounts.sources.ldap.entries import (
    SID,
    Entry,
    account_of_entries,
    assertions_of,
    escape,
    plain_text,
    refused,
    require_exact,
    single_entry,
    single_value,
)
from daas_hub.accounts.sources.ldap.lockout_policy import LockoutPolicy, lockout_duration_s, lockout_policy, warning_of
from daas_hub.accounts.sources.ldap.searches import Searches, groups_of, primary_group, require_visible, search_all
from daas_hub.accounts.sources.ldap.servers import Ask, LdapServers
from daas_hub.accounts.templates import claims_of, fill, values_of
from daas_hub.errors import NoAccount

_log = logging.getLogger("jupyterhub.daas")


class LdapSource:
    """An account source that asks a directory each time."""

    def __init__(
        self,
        server: Server,
        searches: Searches,
        issuers: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._searches = searches
        self.issuers = issuers
        self._pairs = assertions_of(searches.person_filter)
        self._servers = LdapServers(server, clock)
        self._now = now
        self.claims = claims_of(searches.person_filter)
        #: filters that found something since the start
        self._seen: set[str] = set()

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`)."""
        if self.issuers and identity.issuer not in self.issuers:
            raise no_account()
        values = values_of(identity, self._searches.person_filter)
        folds_case = not self._searches.case_sensitive
        return await self._in_thread(self._searches.person_filter, self._pairs, values, folds_case=folds_case)

    async def account_named(self, name: str) -> Account:
        """Return the account of exactly this name (see `NamedAccounts`)."""
        pair = (self._searches.attributes.name, "{account}")
        template = f"(&{self._searches.account_filter}({pair[0]}={pair[1]}))"
        return await self._in_thread(template, (pair,), {"account": name}, folds_case=False)

    async def name_if_password(self, name: str, password: str) -> str:
        """Return the account name, as the directory spells it, if name and password are correct; else "".

        They are checked by a bind over an encrypted connection.

        Raises:
            AccountClosed: the password is correct, and may not be used; the directory says why.
            SourceUnavailable: the directory did not answer.
            AccountRefused: several entries have this name, or the entry has no single name.
        """
        if not name or not password or "\0" in password:
            return ""  # a bind with an empty password succeeds, and proves nothing
        return await self._servers.run(lambda until: self._name_if(name, password, until), " about a password")

    def _name_if(self, name: str, password: str, until: float) -> str:
        where, wanted = self._searches, self._searches.attributes.name
        template = f"(&{where.account_filter}({wanted}={{account}}))"
        asked = fill(template, {"account": name}, escape)
        try:
            entry = single_entry(
                self._servers.ask(
                    lambda ask: search_all(ask, where, where.person_bases, Search("", asked, (wanted,), 2)), until
                )
            )
            found = plain_text(single_value(entry, wanted))
        except NoAccount:
            # takes as long as for an existing name
            self._servers.check_password(f"cn=nobody,{where.person_bases[0]}", password, until)
            return ""
        # LDAP matching may ignore more than case
        is_same = bool(found) and found.lower() == name.lower()
        result = self._servers.check_password(entry.dn, password, until)
        if not is_same:
            return ""
        if result.reason:
            _log.warning("directory: a password of %s was not accepted: %s", entry.dn, result.reason)
        if result.shown:
            raise AccountClosed(
                result.shown, remedy="Please use the facility's own page for this, or ask its help desk."
            )
        return found if result.accepted else ""

    async def lockout_policy(self) -> LockoutPolicy:
        """Return how many wrong passwords lock an account in the directory, as far as it can be read.

        Raises:
            SourceUnavailable: the directory did not answer.
        """
        bases = self._searches.person_bases
        return await self._servers.run(
            lambda until: self._servers.ask(lambda ask: lockout_policy(ask, bases), until), " about its password policy"
        )

    async def configuration_warning(self) -> tuple[str, str]:
        """Return what does not fit this directory in the settings, and what to do, for the doctor; "" for nothing."""
        policy = await self.lockout_policy()
        return warning_of(policy, is_active_directory=self._searches.is_active_directory)

    def close(self) -> None:
        """Shut down the threads and close the connections."""
        self._servers.close()

    async def _in_thread(
        self, template: str, pairs: Sequence[tuple[str, str]], values: Mapping[str, str], *, folds_case: bool
    ) -> Account:
        def look_up(ask: Ask) -> Account:
            return self._look_up(ask, template, pairs, values, folds_case=folds_case)

        return await self._servers.run(lambda until: self._servers.ask(look_up, until))

    def _look_up(
        self,
        ask: Ask,
        template: str,
        pairs: Sequence[tuple[str, str]],
        values: Mapping[str, str],
        *,
        folds_case: bool,
    ) -> Account:
        where, names = self._searches, self._searches.attributes
        read = {names.name, names.uid, names.gid, names.display_name, names.groups, *(name for name, _ in pairs)}
        read |= {where.primary_group_attribute, *where.required_attributes, "pwdPolicySubentry"}
        read |= set(CHECKS) - where.ignored_account_state
        if where.id_mapping or where.primary_group_attribute:
            read.add(SID)
        search = Search("", fill(template, values, escape), tuple(sorted(read - {""})), 2)
        found = search_all(ask, where, where.person_bases, search)
        if not found.entries and not found.referrals:
            self._require_visible(ask, where.person_bases, template)
            _log.info("directory: no entry below %s for a login, by the filter %s", where.person_bases, template)
        entry = require_exact(single_entry(found), pairs, values, folds_case=folds_case)
        self._require_open(ask, entry)
        primary = primary_group(ask, where, entry)
        self._seen.add(template)
        groups = groups_of(ask, where, entry, primary)
        if [one for one in groups if primary is None or one.dn != primary.dn]:
            self._seen.add(where.group_filter)
        elif where.group_bases:
            self._require_visible(ask, where.group_bases, where.group_filter)
        return account_of_entries(entry, groups, names, primary=primary, ids=where.id_mapping)

    def _require_visible(self, ask: Ask, bases: Sequence[str], template: str) -> None:
        """Check that an answer of nothing can be believed: the portal still sees somebody, or some group.

        Raises:
            ServerRefused: it does no longer. Where it never did, there may be none.
        """
        try:
            require_visible(ask, self._searches, bases, template)
        except ServerRefused as problem:
            if template in self._seen:
                raise
            _log.warning("directory: an empty answer is accepted, and cannot be verified: %s", problem)
        else:
            self._seen.add(template)

    def _require_open(self, ask: Ask, entry: Entry) -> None:
        """Check that the directory has not closed the account.

        Raises:
            AccountClosed, AccountLocked: it has.
            AccountRefused: its state cannot be read.
        """
        where, now = self._searches, self._now()
        for attribute in where.required_attributes:
            if not entry.values(attribute):
                raise refused(entry, f"its {attribute} is missing, or hidden from the portal")
        try:
            closed = closed_by(
                entry, now, ignored=where.ignored_account_state, lockout_s=lockout_duration_s(ask, entry)
            )
        except ValueError as error:
            raise refused(entry, str(error)) from None
        if closed is not None:
            _log.warning("directory: %s is %s by its %s", entry.dn, closed.state, closed.attribute)
            raise refusal_of(closed, now)
