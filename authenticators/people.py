"""Maps an identity to a person: with an account of the facility, or by the login alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from daas_hub.accounts import Identity
from daas_hub.accounts.elevation import ElevationRules
from daas_hub.accounts.json_values import strings_of
from daas_hub.accounts.roles import Roles
from daas_hub.authenticators.user_lists import Person
from daas_hub.errors import ErrorKind, Refused
from daas_hub.facility import Facility


class People(Protocol):
    """How logins are mapped to people."""

    @property
    def claims(self) -> frozenset[str]:
        """The claims that are read; a login keeps only these."""
        ...

    @property
    def elevation(self) -> ElevationRules:
        """What an elevated role requires in addition to its group or claim."""
        ...

    async def person_of(self, identity: Identity) -> Person:
        """Return the person, looked up now.

        Raises:
            NoAccount, Refused, SourceUnavailable: with a message for the user.
        """
        ...


class AccountHolders:
    """People with an account of the facility; a login without one is refused."""

    def __init__(self, facility: Callable[[], Facility]) -> None:
        self._facility = facility

    @property
    def claims(self) -> frozenset[str]:
        """The claims that the facility's configuration reads."""
        return self._facility().claims

    @property
    def elevation(self) -> ElevationRules:
        """The facility's rules."""
        return self._facility().elevation

    async def person_of(self, identity: Identity) -> Person:
        """Return the person with the account of this identity."""
        account = await self._facility().account_of(identity)
        return Person(
            identity,
            identity.hub_name,
            account.name,
            account.display_name or identity.display_name,
            account.memberships,
            account.roles,
            account.uid,
            next(iter(account.ends), None),
        )


class Identities:
    """People known by their login alone, for a hub that starts no sessions of this package.

    Args:
        username_claim: the claim that becomes the hub's user name; "" for the opaque name of the identity.
        roles, elevation: the rules about administrators.
    """

    def __init__(self, username_claim: str, roles: Roles, elevation: ElevationRules) -> None:
        self._username_claim = username_claim
        self._roles = roles
        self._elevation = elevation

    @property
    def claims(self) -> frozenset[str]:
        """Groups, and the claims from which roles and the name are read."""
        of_roles = {name for wanted in self._roles.claims.values() for name in wanted}
        return frozenset({"groups", *of_roles}) | ({self._username_claim} - {""})

    @property
    def elevation(self) -> ElevationRules:
        """The configured rules."""
        return self._elevation

    async def person_of(self, identity: Identity) -> Person:
        """Return the person that the login names."""
        name = self._name(identity) if self._username_claim else identity.hub_name
        groups = strings_of(identity.claims.get("groups"))
        roles = self._roles.roles_for(groups, identity)
        return Person(identity, name, name, identity.display_name, groups, roles)

    def _name(self, identity: Identity) -> str:
        name = identity.claims.get(self._username_claim)
        if not isinstance(name, str) or not name.strip():
            raise Refused(
                f"The login provider did not send the claim {self._username_claim} that identifies you.",
                remedy="Please tell the administrators; the provider must release it to this portal.",
                kind=ErrorKind.MISSING_CLAIM,
            )
        # as Authenticator.normalize_username does before the hub looks for its user
        return name.lower()
