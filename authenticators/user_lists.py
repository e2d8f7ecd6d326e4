"""The lists in JupyterHub's own settings of people who may sign in, and of administrators. Pure.

The hub compares these lists with its user names, which are opaque here (`Identity.hub_name`). Their entries name people
as administrators know them: by account, or by issuer and subject.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from daas_hub.accounts import Identity
from daas_hub.accounts.validity import End
from daas_hub.authenticators.errors import Blocked, NotAllowed
from daas_hub.errors import ConfigurationError

_FORMS = 'Write the name of an account, "anna", or issuer and subject: "https://login.facility.org 4711".'


@dataclass(frozen=True)
class Person:
    """A user whose login was verified.

    Attributes:
        hub_name: the hub's user name.
        name: the account's name; the hub's user name where logins have no account.
        groups: names of the account's groups, or those that the provider sent.
        roles: those from groups and claims: "admin", "own_resources".
        uid: the account's; None where logins have no account.
        end: the end date of the account; None without one.
    """

    identity: Identity
    hub_name: str
    name: str
    display_name: str = ""
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    uid: int | None = None
    end: End | None = None


@dataclass(frozen=True)
class Names:
    """The people of one list."""

    accounts: frozenset[str] = frozenset()
    identities: frozenset[tuple[str, str]] = frozenset()

    def __contains__(self, person: Person) -> bool:
        identity = person.identity
        return person.name in self.accounts or (identity.issuer, identity.subject) in self.identities

    def may_mean(self, person: Person) -> bool:
        """Return whether the list names this person, or their account in other capitals."""
        return person in self or person.name.lower() in {name.lower() for name in self.accounts}

    def __bool__(self) -> bool:
        return bool(self.accounts or self.identities)


def read_names(setting: str, entries: Iterable[object], issuers: Iterable[str]) -> Names:
    """Return the people that a list names.

    Args:
        issuers: those whose logins are accepted.

    Raises:
        ConfigurationError: an entry names nobody who could sign in.
    """
    known, accounts, identities = set(issuers), set(), set()
    for entry in entries:
        # the issuer is a URL, so the first space ends it
        parts = entry.split(maxsplit=1) if isinstance(entry, str) else list(entry) if isinstance(entry, tuple) else []
        if not all(isinstance(part, str) and part for part in parts) or len(parts) not in (1, 2):
            raise ConfigurationError(setting, entry, "names nobody", remedy=_FORMS)
        if len(parts) == 1:
            accounts.add(parts[0])
        elif parts[0] in known:
            identities.add((parts[0], parts[1]))
        else:
            remedy = f"Known issuers: {', '.join(sorted(known))}."
            raise ConfigurationError(setting, entry, "names an issuer that no login method has", remedy=remedy)
    return Names(frozenset(accounts), frozenset(identities))


@dataclass(frozen=True)
class UserLists:
    """The lists of one configuration.

    Attributes:
        allow_all: whether everybody who is not blocked may sign in.
        refusal: the message for those who may not.
    """

    allow_all: bool = True
    allowed: Names = Names()
    allowed_groups: frozenset[str] = frozenset()
    blocked: Names = Names()
    admins: Names = Names()
    admin_groups: frozenset[str] = frozenset()
    refusal: str = ""

    def roles_of(self, person: Person) -> frozenset[str]:
        """Return a person's roles, with the one that these lists give."""
        is_admin = person in self.admins or bool(person.groups & self.admin_groups)
        return person.roles | {"admin"} if is_admin else person.roles

    def require_not_blocked(self, person: Person) -> None:
        """Check the list of blocked people, which overrides every other.

        Raises:
            Blocked: it names this person.
        """
        # a directory may fold case, and a misspelt name must not let a blocked person in
        if self.blocked.may_mean(person):
            raise Blocked(self.refusal)

    def require_allowed(self, person: Person, *, exists: bool = False) -> None:
        """Check that a person may sign in; administrators always may, unless they are blocked.

        Args:
            exists: whether `allow_existing_users` admits this person.

        Raises:
            Blocked, NotAllowed: with the configured message.
        """
        self.require_not_blocked(person)
        if self.allow_all or exists or person in self.allowed or person.groups & self.allowed_groups:
            return
        if "admin" not in self.roles_of(person):
            raise NotAllowed(self.refusal)
