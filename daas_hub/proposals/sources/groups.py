"""Proposals from the account's groups, for facilities with a Unix or LDAP group per proposal and without a catalogue.

Nothing is asked: the account has its groups with their names. A group whose name matches the facility's pattern is a
proposal, and the group that shares its processed data.
"""

from __future__ import annotations

from typing import Any

from traitlets import Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError
from daas_hub.findings import Finding, ok, warning
from daas_hub.proposals.group_names import GroupProposal, named_groups_of, pattern_of, proposals_in
from daas_hub.proposals.model import Proposal, Visit

#: Names that a finding lists.
_MAX_SHOWN = 5


class GroupProposals(Configurable):
    """Proposals from the names of an account's groups: `Facility.proposals = "groups"`."""

    pattern = Unicode(
        config=True,
        help="""
        Regular expression that matches the whole name of a proposal's group. Named groups: (?P<proposal>...), and
        optionally (?P<visit>...) and (?P<beamline>...). No default. Example: "(?P<proposal>p[0-9]{5})".
        """,
    )
    account_pattern = Unicode(
        config=True,
        help="""
        The same for the account name, if proposals have accounts instead of groups. Default: none.
        Example: "u(?P<proposal>[0-9]{10})".
        """,
    )
    title = Unicode(
        "{proposal}",
        config=True,
        help='Title of every proposal; groups have none. Example: "Experiment {proposal}".',
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        """Check the settings.

        Raises:
            ConfigurationError: naming the one that cannot work.
        """
        super().__init__(**({"parent": facility} if facility is not None else {}), **kwargs)
        if not self.pattern and not self.account_pattern:
            raise ConfigurationError(
                "GroupProposals.pattern", "", "is not set", remedy="Example: (?P<proposal>p[0-9]{5})."
            )
        names = [name for name in ("pattern", "account_pattern") if getattr(self, name)]
        self._patterns = {name: pattern_of(f"GroupProposals.{name}", getattr(self, name)) for name in names}

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Return the proposals named by the account's groups (see `ProposalSource`)."""
        found: dict[str, GroupProposal] = {}
        for kind, names in (("pattern", named_groups_of(account)), ("account_pattern", [(account.gid, account.name)])):
            if kind in self._patterns:
                for named in proposals_in(self._patterns[kind], names):
                    found.setdefault(named.id, named)
        return tuple(self._proposal(named) for named in found.values())

    async def contract_lines(self, name: str, account: Account, records: list[Any]) -> list[Finding]:
        """Report which names match the patterns (see `ContractChecks`)."""
        key, lines = f"proposals.{name}.names", []
        asked = {"pattern": [group for _, group in named_groups_of(account)], "account_pattern": [account.name]}
        for setting, pattern in self._patterns.items():
            names = asked[setting]
            fit = [one for one in names if pattern.fullmatch(one)]
            did = f"{name}: {len(names)} names against GroupProposals.{setting}"
            if fit:
                more = f" and {len(fit) - _MAX_SHOWN} more" if len(fit) > _MAX_SHOWN else ""
                lines.append(ok(key, did, f"{len(fit)} match: {', '.join(fit[:_MAX_SHOWN])}{more}"))
            else:
                got = f"no match among {', '.join(names[:_MAX_SHOWN]) or 'no groups'}"
                lines.append(warning(key, did, got, "Correct the pattern, or configure groups in the account source."))
        return lines

    def _proposal(self, named: GroupProposal) -> Proposal:
        # a group of the whole proposal does not say which visits there are: it is shown as one visit
        visits = {1: named.beamline} if named.is_whole else named.visits
        return Proposal(
            id=named.id,
            title=self.title.replace("{proposal}", named.id),
            beamlines=tuple(dict.fromkeys(beamline for beamline in visits.values() if beamline)),
            visits=tuple(Visit(number, beamline=beamline) for number, beamline in sorted(visits.items())),
            gid=named.gid,
        )
