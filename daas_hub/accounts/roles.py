"""Who is an administrator or staff: read from the account's groups and the login's claims, never set by hand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from daas_hub.accounts.model import Account, Identity


@dataclass(frozen=True)
class Roles:
    """For each role the names of groups, and claims with the values that give it; `issuers` are whose claims count."""

    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    claims: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    issuers: frozenset[str] = frozenset()

    def roles_of(self, account: Account, identity: Identity) -> frozenset[str]:
        """Return the roles that groups and claims give; names are compared letter by letter."""
        return self.roles_for(account.memberships, identity)

    def roles_for(self, groups: frozenset[str], identity: Identity) -> frozenset[str]:
        """Return the roles of a login whose groups are known by other means than an account."""
        by_group = {role for role, names in self.groups.items() if names & groups}
        if identity.issuer not in self.issuers:
            return frozenset(by_group)
        return frozenset(by_group) | {
            role
            for role, wanted in self.claims.items()
            if any(values & texts_of(identity.claims.get(name)) for name, values in wanted.items())
        }


def texts_of(claim: object) -> frozenset[str]:
    """Return the strings in a claim: itself, or those of a list. Anything else is ignored: true is not "true"."""
    if isinstance(claim, str):
        return frozenset({claim})
    return frozenset(one for one in claim if isinstance(one, str)) if isinstance(claim, list) else frozenset()
