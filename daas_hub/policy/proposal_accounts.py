"""Accounts of proposals: settings for facilities where one account per proposal owns the data."""

from __future__ import annotations

from traitlets import Dict, Unicode

from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.launch import RunAs


class ProposalAccounts(SourceSettings):
    """Accounts of proposals, for facilities where one account per proposal owns the data."""

    template = Unicode(
        "",
        config=True,
        help="""
        Name of a proposal's account, with the field {proposal}. Sessions on a proposal run as this account, which is
        looked up in `Facility.accounts`, if the person is a member at that moment. Example: "u{proposal}".
        Default: sessions run as the person's own account.
        """,
    )
    names = Dict(
        Unicode(),
        config=True,
        help="""
        Account names of single proposals; they take precedence over `template`. Example: {"MA-4242": "ma4242"}.
        Default: none.
        """,
    )

    def rules(self) -> RunAs:
        """Return the rules.

        Raises:
            ConfigurationError: two proposals would share an account.
        """
        if self.template and not self.require_fields("template", known=("proposal",)):
            raise self.wrong("template", "would give all proposals one account", "Add {proposal}.")
        if len(set(self.names.values())) < len(self.names):
            raise self.wrong("names", "gives two proposals one account", "Give each its own.")
        return RunAs(self.template, dict(self.names))
