"""Identity, account, and what an account source implements."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from daas_hub.accounts.validity import End
from daas_hub.services.outside_text import printable

MAX_DISPLAY_NAME = 200


@dataclass(frozen=True)
class Identity:
    """What a login proved. The key is (issuer, subject); everything else may change.

    Attributes:
        display_name: for display only.
        claims: the provider's claims that the configuration reads (see `AccountSource`), as in its JSON; unchecked.
        received_at: when the provider sent the claims, in seconds since 1970; 0 if unknown.
        access_token: the provider's, for services of the facility that accept it; "" without one.
    """

    issuer: str
    subject: str
    display_name: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict, hash=False)
    received_at: float = field(default=0.0, compare=False)
    access_token: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the name fit to be shown, wherever it comes from."""
        object.__setattr__(self, "display_name", printable(self.display_name, MAX_DISPLAY_NAME))

    @property
    def hub_name(self) -> str:
        """The hub's user name: opaque, ASCII, stable, and never shared by two identities.

        80 bits of SHA-256 over issuer and subject, separated by NUL (which neither may contain), in lower-case
        base32: no look-alike characters, no case to fold, nothing a user could choose.
        """
        digest = hashlib.sha256(f"{self.issuer}\0{self.subject}".encode()).digest()
        return "u" + base64.b32encode(digest[:10]).decode().lower()

    def as_state(self) -> dict[str, Any]:
        """Return the dictionary that is stored in the hub's encrypted auth_state."""
        state: dict[str, Any] = {"issuer": self.issuer, "subject": self.subject, "display_name": self.display_name}
        more = {"access_token": self.access_token, "claims": dict(self.claims), "received_at": self.received_at}
        return state | {key: value for key, value in more.items() if value}

    @classmethod
    def from_state(cls, state: Any) -> Identity | None:
        """Return the identity of `as_state`; None if the state has none."""
        if not isinstance(state, dict):
            return None
        keys = ("issuer", "subject", "display_name", "access_token")
        issuer, subject, name, token = (str(state.get(key) or "") for key in keys)
        if not issuer or not subject:
            return None
        # release 0.1.0 stored it as "told_at"
        claims, received_at = state.get("claims"), state.get("received_at", state.get("told_at"))
        return cls(
            issuer,
            subject,
            name,
            claims if isinstance(claims, dict) else {},
            float(received_at) if isinstance(received_at, int | float) else 0.0,
            token,
        )


@dataclass(frozen=True)
class Account:
    """A facility account, as the kernel and the storage see it. `groups` are the supplementary gids.

    Attributes:
        memberships: names of all groups, including groups without a gid; roles depend on them.
        login: the person's identity, for sources that know people by their login. A plan's account has none.
        mail: an address that a source states, unchecked; "" for none.
        ends: the end dates that sources state; `Facility.account_of` leaves the one that counts.
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
    ends: tuple[End, ...] = field(default=(), compare=False)
    mail: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        """Make the name fit to be shown, wherever it comes from: a passwd file may be in another encoding."""
        object.__setattr__(self, "display_name", printable(self.display_name, MAX_DISPLAY_NAME))


@dataclass(frozen=True)
class AccountFields:
    """Where a source has the parts of an account: a claim, an LDAP attribute or a JSON path each; "" for nowhere.

    Attributes:
        groups: further groups: numbers, names with numbers, or what leads to the groups' own records.
        group_name, group_gid: in the record of a group.
        end, mail: the end date of the account, and a mail address.
    """

    name: str
    uid: str
    gid: str
    display_name: str = ""
    groups: str = ""
    group_name: str = ""
    group_gid: str = ""
    end: str = ""
    mail: str = ""


class AccountSource(Protocol):
    """What every account source implements. The protocols below are optional."""

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity, asked for now.

        Raises:
            AccountRefused: the source knows one or several accounts, but none that can be used.
            NoAccount: the source has no account for it.
            SourceUnavailable: the source did not answer; whether there is an account is unknown.
        """
        ...


@runtime_checkable
class NamedAccounts(Protocol):
    """What an account source implements to support accounts of proposals."""

    async def account_named(self, name: str) -> Account:
        """Return the account with exactly this name, asked for now; raises as `AccountSource.account_of`."""
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


@runtime_checkable
class ComparesSettings(Protocol):
    """What a source has that can compare its settings with the service behind it, for the doctor."""

    async def configuration_warning(self) -> tuple[str, str]:
        """Return what does not fit, and what to do; ("", "") for nothing. Raises `SourceUnavailable`."""
        ...


def claims_read_by(source: AccountSource) -> frozenset[str]:
    """Return the names of the claims a source looks at."""
    return source.claims if isinstance(source, ReadsClaims) else frozenset()


@runtime_checkable
class DependsOnSources(Protocol):
    """What an account source implements that asks the other sources about another login."""

    def use_sources(self, others: AccountSource) -> None:
        """Set the other sources, joined into one."""
        ...
