"""The account source "links": logins that people connected with an existing account (AL60)."""

from __future__ import annotations

import logging
from pathlib import Path

from traitlets import Int, Unicode

from daas_hub.accounts.model import Account, AccountSource, Identity
from daas_hub.accounts.refusals import StaleLink, no_account
from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.accounts.sources.link_store import LinkStore
from daas_hub.errors import AccountRefused, NoAccount

_log = logging.getLogger("jupyterhub.daas")


class LinkedSource:
    """An account source that replaces a connected login by the facility's own login, and asks the other sources for it.

    So their conditions hold for connected logins, too, and an account that is removed there is removed here.
    """

    def __init__(self, store: LinkStore) -> None:
        self.store = store
        self._others: AccountSource | None = None

    def use_sources(self, others: AccountSource) -> None:
        """Use the other configured sources, joined into one, for the accounts."""
        self._others = others

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`)."""
        link = await self.store.link_of(identity.issuer, identity.subject)
        if link is None:
            raise no_account()
        assert self._others is not None, "the configuration is refused without others"
        try:
            account = await self._others.account_of(link.known_as)
        except AccountRefused:
            raise
        except NoAccount:
            raise StaleLink(
                f"The facility account {link.account} that your login is connected with no longer exists.",
                remedy="Ask the user office which account you have now.",
            ) from None
        if (account.name, account.uid) != (link.account, link.uid):
            # a name that was given to somebody else is not theirs to use
            _log.error(
                "links: %r of %s was connected with %s (uid %d), which is now %s (uid %d): refused",
                identity.subject,
                identity.issuer,
                link.account,
                link.uid,
                account.name,
                account.uid,
            )
            raise StaleLink(
                f"The facility account {link.account} has been reassigned since your login was connected with it.",
                remedy="Connect your login again, or ask the user office.",
            )
        return account


#: Its name in `Facility.accounts`.
NAME = "links"


class LinkedAccounts(SourceSettings):
    """Logins that people connected with an existing account (`Facility.accounts` with "links")."""

    file = Unicode(
        "",
        config=True,
        help="""
        SQLite file with the connected logins, on a local disk and readable by the hub's user only. Back it up.
        Default: "private/links.sqlite" in `Facility.state`. Example: "/var/lib/daas-hub/links.sqlite".
        """,
    )
    max_per_account = Int(10, min=1, config=True, help="Maximum number of connected logins per account.")

    def source(self, state: str) -> LinkedSource:
        """Build the source.

        Args:
            state: the directory of the portal's own files.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if self.file and not self.file.startswith("/"):
            raise self.wrong("file", "is not an absolute path", "Example: /var/lib/daas-hub/links.sqlite.")
        path = Path(self.file or f"{state}/private/links.sqlite")
        return LinkedSource(LinkStore(path, max_per_account=self.max_per_account))
