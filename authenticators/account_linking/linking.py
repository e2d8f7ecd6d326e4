"""Connecting a login with an existing facility account, step by step (AL60).

First the provider proves the login, then the password proves the account, then both are shown and the user confirms.
What was proved is kept here, in the hub's memory, under a number that only that browser has.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.sources.link_store import Link
from daas_hub.accounts.sources.linked import LinkedSource
from daas_hub.authenticators.errors import WrongAccount
from daas_hub.authenticators.login_methods import Login, LoginMethod
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.errors import AccountRefused, ConfigurationError, NoAccount, Refused, SourceUnavailable
from daas_hub.facility import Facility

#: Seconds from the login to the confirmation.
WAITS_S = 600.0
#: Number of logins that may be pending at a time; the oldest is dropped first.
MAX_WAITING = 1000


@dataclass(frozen=True)
class Proved:
    """An account whose password was entered.

    Attributes:
        known_as: the identity that the password proves.
        shown: the number of the page that shows both; only a confirmation from that page counts.
    """

    account: Account
    known_as: Identity
    shown: str = field(repr=False)


@dataclass
class Pending:
    """A login that may be connected.

    Attributes:
        method: the login method that verified it.
        wanted: the `next` address of the login, not validated.
        proved: the account whose password was entered last.
    """

    login: Login
    method: LoginMethod
    wanted: str
    until: float
    proved: Proved | None = None


class Waiting:
    """The pending logins, each under a number that cannot be guessed; one per person."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pending: OrderedDict[str, Pending] = OrderedDict()

    def add(self, login: Login, method: LoginMethod, wanted: str) -> str:
        """Keep a login; return its number."""
        self._forget_old()
        who = login.identity.hub_name
        for number in [number for number, one in self._pending.items() if one.login.identity.hub_name == who]:
            del self._pending[number]
        while len(self._pending) >= MAX_WAITING:
            self._pending.popitem(last=False)
        number = secrets.token_urlsafe(32)
        self._pending[number] = Pending(login, method, wanted, self._clock() + WAITS_S)
        return number

    def drop_if(self, is_over: Callable[[Pending], bool]) -> None:
        """Discard those for which `is_over` holds: their users signed out at the provider meanwhile."""
        for number in [number for number, one in self._pending.items() if is_over(one)]:
            del self._pending[number]

    def get(self, number: str) -> Pending | None:
        """Return a login by its number; None if there is none, or it has expired."""
        self._forget_old()
        return self._pending.get(number)

    def drop(self, number: str) -> None:
        """Discard one."""
        self._pending.pop(number, None)

    def _forget_old(self) -> None:
        now = self._clock()
        while self._pending and next(iter(self._pending.values())).until <= now:
            self._pending.popitem(last=False)

    def __len__(self) -> int:
        return len(self._pending)


class Linking:
    """The steps of connecting a login: pending logins, accounts proved by password, confirmed links.

    Args:
        passwords: verifies the account's password; shared with the login page, so that attempts are counted together.
        facility: returns the facility, once it exists.
    """

    def __init__(
        self,
        passwords: PasswordMethod,
        facility: Callable[[], Facility],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.passwords = passwords
        self.waiting = Waiting(clock)
        self._facility = facility

    @property
    def accounts(self) -> LinkedSource:
        """The source of accounts that knows the links."""
        source = self._facility().links
        assert source is not None, "the authenticator looks for it when the hub starts"
        return source

    def require_source(self, facility: Facility) -> None:
        """Check that a source of accounts is configured for the logins of these passwords.

        Raises:
            ConfigurationError: there is none, so that nothing could be connected.
        """
        issuer = self.passwords.issuer
        asked = facility.issuers_by_source()
        others = [asked[name] for name, one in facility.account_sources.items() if one is not facility.links]
        if not any(one is None or issuer in one for one in others):
            raise ConfigurationError(
                "PasswordLogin.issuer",
                issuer,
                "is not among the issuers of any source of accounts, so no account could be connected",
                remedy="Add it to the issuers of the source of these accounts, such as LdapAccounts.issuers.",
            )

    def may_begin(self, refusal: NoAccount, method: LoginMethod) -> bool:
        """Return whether a login without an account may be connected with one; one with a closed account may not."""
        return not isinstance(refusal, AccountRefused) and method.issuer != self.passwords.issuer

    async def prove_account(self, pending: Pending, name: str, password: str, address: str) -> None:
        """Store in `pending` the account that a name and a password prove.

        Raises:
            WrongPassword, TooManyAttempts: the password was not accepted.
            WrongAccount: the account may not run sessions, or does not exist.
            SourceUnavailable: a source does not respond.
        """
        pending.proved = None
        known_as = (await self.passwords.login_of(name, password, address)).identity
        pending.proved = Proved(await self._account_of(known_as), known_as, secrets.token_urlsafe(16))

    async def connect(self, pending: Pending, shown: str) -> Link:
        """Make the link that was confirmed on the page `shown`.

        Raises:
            Refused: the page is out of date, the account has changed meanwhile, or it has too many logins.
            SourceUnavailable: a source does not respond, or the link could not be stored.
        """
        proved, identity = pending.proved, pending.login.identity
        if proved is None or not secrets.compare_digest(proved.shown.encode(), shown.encode()):
            raise Refused("This page is out of date.", remedy="Please review both once more.")
        agreed = proved.account
        # a page may have been open for minutes
        self._require_same(await self._account_of(proved.known_as), agreed)
        await self._require_none(identity)
        link = await self.accounts.store.connect(identity, proved.known_as, agreed.name, agreed.uid)
        try:
            self._require_same(await self._account_of(identity), agreed)
        except (Refused, SourceUnavailable):
            # a link that gives no access would block the next one
            await self.accounts.store.remove(identity.issuer, identity.subject)
            raise
        return link

    async def _require_none(self, identity: Identity) -> None:
        """Check that the login still has no account: the user office may have given it one meanwhile."""
        try:
            account = await self._facility().account_of(identity)
        except AccountRefused:
            raise
        except NoAccount:
            return
        raise WrongAccount(
            f"Your login was given the account {account.name} in the meantime, and was not connected.",
            remedy="Please sign in again.",
        )

    async def _account_of(self, identity: Identity) -> Account:
        try:
            return await self._facility().account_of(identity)
        except NoAccount as refusal:
            raise WrongAccount("Your login cannot be connected with this account.", remedy=f"{refusal}") from refusal

    @staticmethod
    def _require_same(account: Account, agreed: Account) -> None:
        if (account.name, account.uid) != (agreed.name, agreed.uid):
            raise WrongAccount(
                "Your facility account has changed in the meantime.", remedy="Please tell the user office."
            )
