"""Accounts of people who connected their login with the account they had before (AL60)."""

from __future__ import annotations

import logging
from pathlib import Path

from traitlets import Int, Unicode

from daas_hub.accounts.model import Account, AccountSource, Identity
from daas_hub.accounts.refusals import LostAccount, unknown
from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.accounts.sources.link_store import LinkStore
from daas_hub.errors import AccountRefused, NoAccount

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


#: Its name in `Facility.accounts`.
NAME = "links"


class LinkSettings(SourceSettings):
    """Logins that people connected with the account they had (`Facility.accounts` with "links")."""

    file = Unicode(
        "",
        config=True,
        help="""
        The file they are kept in (SQLite, on a local disk), which only the hub's user may read. Put it into your
        backups. Default: "private/links.sqlite" in `Facility.state`.
        """,
    )
    max_per_account = Int(10, min=1, config=True, help="Logins one account may be connected with.")

    def source(self, state: str) -> ConnectedAccounts:
        """Build the source.

        Args:
            state: where the portal keeps what it keeps itself.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if self.file and not self.file.startswith("/"):
            raise self.wrong("file", "is not an absolute path", "Write it from the root: /var/lib/daas-hub/links.")
        path = Path(self.file or f"{state}/private/links.sqlite")
        return ConnectedAccounts(LinkStore(path, max_per_account=self.max_per_account))
