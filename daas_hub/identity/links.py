"""Accounts of people who connected their login with the account they had before (AL60)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from daas_hub.errors import AccountRefused, NoAccount
from daas_hub.identity.linkstore import LinkStore
from daas_hub.identity.records import Account, AccountSource, Identity, NamedAccounts
from daas_hub.identity.refusals import LostAccount, unknown

_log = logging.getLogger("jupyterhub.daas")


class LinkedAccounts:
    """An account source: the link names the account, and another source says what that account is, each time anew.

    Args:
        source: what the configuration calls that other source.
    """

    def __init__(self, store: LinkStore, source: str) -> None:
        self.store = store
        self.source = source
        self._named: NamedAccounts | None = None

    def rest_on(self, others: Mapping[str, AccountSource]) -> bool:
        """Take the other source out of all that are configured; False if it knows no account by its name."""
        named = others.get(self.source)
        self._named = named if isinstance(named, NamedAccounts) else None
        return self._named is not None

    async def account_of(self, identity: Identity) -> Account:
        """Give the account of this identity (see `AccountSource`)."""
        link = await self.store.link_of(identity.issuer, identity.subject)
        if link is None:
            raise unknown()
        try:
            account = await self.account_called(link.account)
        except AccountRefused:
            raise
        except NoAccount:
            raise LostAccount(
                f"The facility account {link.account}, which your login was connected with, does not exist any more.",
                remedy="Ask the user office which account you have now.",
            ) from None
        if account.uid != link.uid:
            # a name that was given to somebody else is not theirs to use
            _log.error(
                "links: %r of %s was connected with %s (uid %d), which is uid %d now: not used",
                identity.subject,
                identity.issuer,
                link.account,
                link.uid,
                account.uid,
            )
            raise LostAccount(
                f"The facility account {link.account} is not the one your login was connected with.",
                remedy="Connect your login again, or ask the user office.",
            )
        return account

    async def account_called(self, name: str) -> Account:
        """Give the account of exactly this name, asked for now.

        Raises:
            NoAccount, SourceUnavailable: as `NamedAccounts.account_named` does; also if it gives another one.
        """
        assert self._named is not None, "Facility lets every source take what it rests on"
        account = await self._named.account_named(name)
        if account.name != name:
            raise unknown()
        return account
