"""The settings of accounts that people connected their logins with."""

from __future__ import annotations

from pathlib import Path

from traitlets import Int, Unicode

from daas_hub.accounts.settings import SourceSettings
from daas_hub.identity.links import ConnectedAccounts
from daas_hub.identity.linkstore import LinkStore

#: Its name in `Facility.accounts`.
NAME = "links"


class LinkSettings(SourceSettings):
    """Logins that people connected with the account they had (`Facility.accounts` with "links")."""

    file = Unicode(
        "",
        config=True,
        help="""
        The file they are kept in (SQLite, on a local disk), which only the hub's user may read. Put it into your
        backups. Default: "private/links.sqlite" in `Facility.state`. Since 0.1.
        """,
    )
    most_of_account = Int(10, min=1, config=True, help="Logins one account may be connected with. Since 0.1.")

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
        return ConnectedAccounts(LinkStore(path, most_of_account=self.most_of_account))
