"""Accounts of proposals: the settings for facilities where the data belong to one account per proposal."""

from __future__ import annotations

from traitlets import Dict, Unicode

from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.launch import RunAs


class ProposalAccounts(SourceSettings):
    """Accounts of proposals, for facilities where the data belong to one account a proposal."""

    template = Unicode(
        "",
        config=True,
        help="""
        Name of a proposal's account, with the field {proposal}. A session beside a proposal's data runs under it, if
        the person is a member at that moment; it is looked up in `Facility.accounts`. Example: "u{proposal}".
        Default: sessions run under the person's own account.
        """,
    )
    names = Dict(
        Unicode(),
        config=True,
        help="""
        Names for single proposals, before `template`. Example: {"MA-4242": "ma4242"}. Default: none.
        """,
    )

    def rules(self) -> RunAs:
        """Return the rules.

        Raises:
            ConfigurationError: two proposals would run under one account.
        """
        if self.template and not self.require_fields("template", known=("proposal",)):
            raise self.wrong("template", "would give all proposals one account", "Add {proposal}.")
        if len(set(self.names.values())) < len(self.names):
            raise self.wrong("names", "gives two proposals one account", "Give each its own.")
        return RunAs(self.template, dict(self.names))
