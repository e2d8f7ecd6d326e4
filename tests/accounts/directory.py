"""A directory with one person, and the logins connected with her account."""

from __future__ import annotations

from daas_hub.accounts import Account, Identity
from daas_hub.errors import NoAccount

ISSUER = "https://umbrella.example.org"


ANNA = Identity(ISSUER, "anna0123@umbrella")


ACCOUNT = Account("anna", 25001, 25001)


#: The issuer of the facility's own passwords.
PASSWORDS = "ldap:facility"


class Directory:
    """A source that knows the logins of the facility's passwords, and nobody else's."""

    issuers = frozenset({PASSWORDS})

    def __init__(self, *accounts: Account) -> None:
        self.accounts = {one.name: one for one in accounts}
        self.problem: Exception | None = None

    async def account_of(self, identity: Identity) -> Account:
        if self.problem:
            raise self.problem
        if identity.issuer not in self.issuers or identity.subject not in self.accounts:
            raise NoAccount("unknown")
        return self.accounts[identity.subject]
