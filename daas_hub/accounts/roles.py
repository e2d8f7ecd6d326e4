"""Roles from the account's groups, the login's claims and its provider; they are never set by hand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from daas_hub.accounts.json_values import strings_of
from daas_hub.accounts.model import Account, Identity

#: May launch applications without a proposal, where the configuration restricts that.
OWN_RESOURCES = "own_resources"


@dataclass(frozen=True)
class Roles:
    """For each role, the groups, claim values and issuers of logins that give it; only claims of `issuers` count."""

    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    claims: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    issuers: frozenset[str] = frozenset()
    logins: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The roles that somebody may have."""
        return frozenset({*self.groups, *self.claims, *self.logins})

    def roles_of(self, account: Account, identity: Identity) -> frozenset[str]:
        """Return the roles that groups, claims and provider give; names are case-sensitive."""
        return self.roles_for(account.memberships, identity)

    def roles_for(self, groups: frozenset[str], identity: Identity) -> frozenset[str]:
        """Return the roles of a login whose groups come from elsewhere than an account."""
        found = {role for role, names in self.groups.items() if names & groups}
        found |= {role for role, issuers in self.logins.items() if identity.issuer in issuers}
        if identity.issuer not in self.issuers:
            return frozenset(found)
        return frozenset(found) | {
            role
            for role, wanted in self.claims.items()
            if any(values & strings_of(identity.claims.get(name)) for name, values in wanted.items())
        }
