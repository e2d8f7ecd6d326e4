"""The settings of accounts that people connected their logins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from traitlets import Int, Unicode

from daas_hub.accounts.settings import SourceSettings
from daas_hub.identity.links import LinkedAccounts
from daas_hub.identity.linkstore import LinkStore

#: Its name in `Facility.accounts`.
NAME = "links"


class LinkSettings(SourceSettings):
    """Logins that people connected with the account they had (`Facility.accounts` with "links")."""

    source_of_accounts = Unicode(
        "",
        config=True,
        help="""
        Which other source of `Facility.accounts` knows the accounts by their names. Example: "ldap". Default: the only
        other one. Since 0.1.
        """,
    )
    file = Unicode(
        "",
        config=True,
        help="""
        The file they are kept in (SQLite, on a local disk), which only the hub's user may read. Put it into your
        backups. Default: "private/links.sqlite" in `Facility.state`. Since 0.1.
        """,
    )
    most_of_account = Int(10, min=1, config=True, help="Logins one account may be connected with. Since 0.1.")

    def source(self, facility: Any) -> LinkedAccounts:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        configured = [facility.accounts] if isinstance(facility.accounts, str) else list(facility.accounts)
        others = [name for name in configured if name != NAME]
        wanted = self.source_of_accounts or (others[0] if len(others) == 1 else "")
        if wanted not in others:
            raise self.wrong(
                "source_of_accounts",
                "names no other source of Facility.accounts" if wanted or not others else "has to choose one of them",
                f"Known there: {', '.join(others)}." if others else 'Like Facility.accounts = ["ldap", "links"].',
            )
        if self.file and not self.file.startswith("/"):
            raise self.wrong("file", "is not an absolute path", "Write it from the root: /var/lib/daas-hub/links.")
        path = Path(self.file or f"{facility.state}/private/links.sqlite")
        return LinkedAccounts(LinkStore(path, most_of_account=self.most_of_account), wanted)
