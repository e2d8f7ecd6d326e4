"""Accounts of people who connected their login with the account they had before (AL60)."""

from __future__ import annotations

import logging

from daas_hub.errors import AccountRefused, NoAccount
from daas_hub.identity.linkstore import LinkStore
from daas_hub.identity.records import Account, AccountSource, Identity
from daas_hub.identity.refusals import LostAccount, unknown

_log = logging.getLogger("jupyterhub.daas")


class ConnectedAccounts:
    """An account source: the link says which login of the facility is meant, and the other sources are asked about it.

    So whoever is kept out by their conditions, or is not there any more, is so by a connected login, too.
    """

    def __init__(self, store: LinkStore) -> None:
        self.store = store
        self._others: AccountSource | None = None

    def rest_on(self, others: AccountSource) -> None:
        """Take the other sources of the configuration."""
        self._others = others

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`)."""
        link = await self.store.link_of(identity.issuer, identity.subject)
        if link is None:
            raise unknown()
        assert self._others is not None, "the configuration is refused without others"
        try:
            account = await self._others.account_of(link.known_as)
        except AccountRefused:
            raise
        except NoAccount:
            raise LostAccount(
                f"The facility account {link.account}, which your login was connected with, is not there any more.",
                remedy="Ask the user office which account you have now.",
            ) from None
        if (account.name, account.uid) != (link.account, link.uid):
            # a name that was given to somebody else is not theirs to use
            _log.error(
                "links: %r of %s was connected with %s (uid %d), which is %s (uid %d) now: not used",
                identity.subject,
                identity.issuer,
                link.account,
                link.uid,
                account.name,
                account.uid,
            )
            raise LostAccount(
                f"The facility account {link.account} is not the one your login was connected with.",
                remedy="Connect your login again, or ask the user office.",
            )
        return account
