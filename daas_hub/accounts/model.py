"""Identity and account, and the contract between them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Identity:
    """What a login proved. The key is (issuer, subject); everything else may change.

    Attributes:
        display_name: for display only.
        access_token: the provider's, for services of the facility that let a person in by it; "" if there is none.
        claims: those claims of the provider that the configuration reads (see `AccountSource.claims`), as JSON gives
            them; nothing is checked yet.
        told_at: when the provider said so, in seconds since 1970; 0 if that is not known.
    """

    issuer: str
    subject: str
    display_name: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict, hash=False)
    told_at: float = field(default=0.0, compare=False)
    access_token: str = field(default="", repr=False, compare=False)

    @property
    def hub_name(self) -> str:
        """The hub's user name: opaque, ASCII, the same for ever, and two identities never share one.

        80 bits of SHA-256 over issuer and subject, separated by NUL (which neither may contain), in lower-case
        base32: no look-alike letters, no case to fold, nothing a user could choose.
        """
        digest = hashlib.sha256(f"{self.issuer}\0{self.subject}".encode()).digest()
        return "u" + base64.b32encode(digest[:10]).decode().lower()

    def as_state(self) -> dict[str, Any]:
        """Return the form that is kept in the hub's encrypted auth_state."""
        state: dict[str, Any] = {"issuer": self.issuer, "subject": self.subject, "display_name": self.display_name}
        more = {"access_token": self.access_token, "claims": dict(self.claims), "told_at": self.told_at}
        return state | {key: value for key, value in more.items() if value}

    @classmethod
    def from_state(cls, state: Any) -> Identity | None:
        """Read `as_state` back; None if it is not one."""
        if not isinstance(state, dict):
            return None
        keys = ("issuer", "subject", "display_name", "access_token")
        issuer, subject, name, token = (str(state.get(key) or "") for key in keys)
        if not issuer or not subject:
            return None
        claims, told_at = state.get("claims"), state.get("told_at")
        return cls(
            issuer,
            subject,
            name,
            claims if isinstance(claims, dict) else {},
            float(told_at) if isinstance(told_at, int | float) else 0.0,
            token,
        )


@dataclass(frozen=True)
class Account:
    """A facility account: what the kernel and the storage see. Numbers are POSIX ids; `groups` are further gids.

    Attributes:
        memberships: the names of all its groups, also of those without a number: roles are read from them.
        login: who asks, for sources that know people by their login. A plan's account has none.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    group_names: dict[int, str] = field(default_factory=dict, hash=False, compare=False)
    display_name: str = ""
    roles: frozenset[str] = frozenset()
    memberships: frozenset[str] = field(default=frozenset(), compare=False)
    login: Identity | None = None


class AccountSource(Protocol):
    """What every source of accounts implements. The protocols below are optional."""

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity, asked for now.

        Raises:
            AccountRefused: the source knows it, or several, and none of them can be used.
            NoAccount: the source answered that there is none.
            SourceUnavailable: the source did not answer; nothing may be concluded.
        """
        ...


@runtime_checkable
class NamedAccounts(Protocol):
    """What a source owes besides, if accounts of proposals are to be looked up in it."""

    async def account_named(self, name: str) -> Account:
        """Return the account of exactly this name, asked for now; raises what `AccountSource.account_of` does."""
        ...


@runtime_checkable
class ReadsClaims(Protocol):
    """What a source has that looks at claims of the login.

    Attributes:
        claims: their names; no other claims are kept.
    """

    claims: frozenset[str]


@runtime_checkable
class LimitedToIssuers(Protocol):
    """What a source has that is only asked about the logins of some issuers.

    Attributes:
        issuers: exactly as a login names them; empty for all.
    """

    issuers: frozenset[str]


@runtime_checkable
class RestrictsOwnResources(Protocol):
    """What a source has that can say who may launch applications without a proposal.

    Attributes:
        restricts_own_resources: whether it says so; it then gives the role `own_resources` to those who may.
    """

    restricts_own_resources: bool


def claims_read_by(source: AccountSource) -> frozenset[str]:
    """Return the names of the claims a source looks at."""
    return source.claims if isinstance(source, ReadsClaims) else frozenset()


@runtime_checkable
class DependsOnSources(Protocol):
    """What a source has that asks the others, about somebody else's login."""

    def rest_on(self, others: AccountSource) -> None:
        """Take the other sources, as one."""
        ...
