"""Proposals from the account's groups: where a facility makes a Unix or LDAP group for each, and no catalogue is asked.

Nothing is asked: the account's source said its groups, with their names. A group whose name follows the facility's rule
is a proposal, and the group its processed data are shared with.
"""

from __future__ import annotations

from typing import Any

from traitlets import Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError
from daas_hub.findings import Finding, ok, warning
from daas_hub.proposals.group_names import Named, groups_of, pattern_of, proposals_named
from daas_hub.proposals.model import Proposal, Visit

#: Names that are written out in an examination.
_MAX_SHOWN = 5


class GroupProposals(Configurable):
    """Proposals from the names of an account's groups: `Facility.proposals = "groups"`."""

    pattern = Unicode(
        config=True,
        help="""
        Regular expression that the whole name of a group follows, if it is a proposal's. Its parts: (?P<proposal>...),
        and if they are in the name (?P<visit>...) and (?P<beamline>...). Example: "(?P<proposal>p[0-9]{5})". No
        default.
        """,
    )
    account_pattern = Unicode(
        config=True,
        help="""
        The same for the name of the account itself, where a proposal has an account and not a group.
        Example: "u(?P<proposal>[0-9]{10})". Default: none.
        """,
    )
    title = Unicode(
        "{proposal}",
        config=True,
        help='Title of a proposal, of which nothing else is known. Example: "Experiment {proposal}".',
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
        """Return the proposals that the account's groups name (see `ProposalSource`)."""
        found: dict[str, Named] = {}
        for kind, names in (("pattern", groups_of(account)), ("account_pattern", [(account.gid, account.name)])):
            if kind in self._patterns:
                for named in proposals_named(self._patterns[kind], names):
                    found.setdefault(named.id, named)
        return tuple(self._proposal(named) for named in found.values())

    async def contract_lines(self, name: str, account: Account, records: list[Any]) -> list[Finding]:
        """Show which names follow the rule (see `ContractChecks`): nothing else is known here."""
        key, lines = f"proposals.{name}.names", []
        asked = {"pattern": [group for _, group in groups_of(account)], "account_pattern": [account.name]}
        for setting, pattern in self._patterns.items():
            names = asked[setting]
            fit = [one for one in names if pattern.fullmatch(one)]
            did = f"{name}: held {len(names)} names against GroupProposals.{setting}"
            if fit:
                more = f" and {len(fit) - _MAX_SHOWN} more" if len(fit) > _MAX_SHOWN else ""
                lines.append(ok(key, did, f"{len(fit)} fit: {', '.join(fit[:_MAX_SHOWN])}{more}"))
            else:
                got = f"none fits of {', '.join(names[:_MAX_SHOWN]) or 'no groups'}"
                lines.append(warning(key, did, got, "Correct the pattern, or have the account source read groups."))
        return lines

    def _proposal(self, named: Named) -> Proposal:
        # who is in the group of the whole proposal sees it as one visit: groups do not say which there are
        visits = {1: named.beamline} if named.is_whole else named.visits
        return Proposal(
            id=named.id,
            title=self.title.replace("{proposal}", named.id),
            beamlines=tuple(dict.fromkeys(beamline for beamline in visits.values() if beamline)),
            visits=tuple(Visit(number, beamline=beamline) for number, beamline in sorted(visits.items())),
            gid=named.gid,
        )
