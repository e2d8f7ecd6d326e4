"""Identity and account, and the contract between them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Identity:
    """What a login proved. The key is (issuer, subject); everything else may change and decides nothing.

    Attributes:
        access_token: the provider's, for services of the facility that let a person in by it; "" if there is none.
    """

    issuer: str
    subject: str
    display_name: str = ""
    access_token: str = field(default="", repr=False, compare=False)

    @property
    def hub_name(self) -> str:
        """The hub's user name: opaque, ASCII, the same for ever, and two identities never share one.

        80 bits of SHA-256 over issuer and subject, separated by NUL (which neither may contain), in lower-case
        base32: no look-alike letters, no case to fold, nothing a user could choose.
        """
        digest = hashlib.sha256(f"{self.issuer}\0{self.subject}".encode()).digest()
        return "u" + base64.b32encode(digest[:10]).decode().lower()

    def as_state(self) -> dict[str, str]:
        """Give the form that is kept in the hub's encrypted auth_state."""
        state = {"issuer": self.issuer, "subject": self.subject, "display_name": self.display_name}
        return state | {"access_token": self.access_token} if self.access_token else state

    @classmethod
    def from_state(cls, state: Any) -> Identity | None:
        """Read `as_state` back; None if it is not one."""
        if not isinstance(state, dict):
            return None
        keys = ("issuer", "subject", "display_name", "access_token")
        issuer, subject, name, token = (str(state.get(key) or "") for key in keys)
        return cls(issuer, subject, name, token) if issuer and subject else None


@dataclass(frozen=True)
class Account:
    """A facility account: what the kernel and the storage see. Numbers are POSIX ids; `groups` are further gids.

    Attributes:
        login: who asks, for sources that know people by their login. A plan's account has none.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    group_names: dict[int, str] = field(default_factory=dict, hash=False, compare=False)
    display_name: str = ""
    roles: frozenset[str] = frozenset()
    login: Identity | None = None


class AccountSource(Protocol):
    """What every account look-up owes. That is all."""

    async def account_of(self, identity: Identity) -> Account:
        """Give the account of this identity, asked for now.

        Raises:
            NoAccount: the source answered that there is none.
            SourceUnavailable: the source did not answer; nothing may be concluded.
        """
        ...
