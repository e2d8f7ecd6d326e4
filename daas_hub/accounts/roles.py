"""Roles, read from the account's groups and the login's claims, never set by hand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from daas_hub.accounts.json_values import strings_of
from daas_hub.accounts.model import Account, Identity

#: May launch applications without a proposal, where the configuration restricts that.
OWN_RESOURCES = "own_resources"


@dataclass(frozen=True)
class Roles:
    """For each role the names of groups, and claims with the values that give it; `issuers` are whose claims count."""

    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    claims: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    issuers: frozenset[str] = frozenset()

    def roles_of(self, account: Account, identity: Identity) -> frozenset[str]:
        """Return the roles that groups and claims give; names are compared letter by letter."""
        by_group = {role for role, names in self.groups.items() if names & account.memberships}
        if identity.issuer not in self.issuers:
            return frozenset(by_group)
        return frozenset(by_group) | {
            role
            for role, wanted in self.claims.items()
            if any(values & strings_of(identity.claims.get(name)) for name, values in wanted.items())
        }
