"""Login methods: what the login page offers, and what verifies a login again later.

An OpenID provider is one (`oidc`), the password form and a web server in front are others. Authenticator, login page,
refresh and logout know them by this base class only.

A method's last handler calls the hub's `login_user`. It has two members for the authenticator: `method`, and
`finish_login()`, which returns the `Login` or raises `Refused` or `SourceUnavailable`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daas_hub.accounts import Identity


@dataclass(frozen=True)
class Login:
    """A login that a method has verified.

    Attributes:
        identity: who it is.
        kept: what the method needs for a refresh and for signing out, such as tokens. The hub stores it encrypted, in
            `auth_state`, with the identity and the name of the method.
        proven: the claims `acr`, `amr` and `auth_time` of a new login; empty after a refresh.
    """

    identity: Identity
    kept: Mapping[str, Any] = field(default_factory=dict, repr=False)
    proven: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def as_state(self, method: str) -> dict[str, Any]:
        """Return the hub's auth_state of this login."""
        return {**self.kept, "method": method, "identity": self.identity.as_state()}


def method_name(state: Mapping[str, Any]) -> str:
    """Return the name of the login method in an auth_state; "" if it has none."""
    # release 0.1.0 stored it as "way"
    return str(state.get("method") or state.get("way") or "")


class LoginMethod(ABC):
    """Base of every login method.

    Attributes:
        name: in addresses and in auth_state: lower-case letters, digits, '-'.
        title: what the login page shows after "Sign in with".
        issuer: who vouches for the subjects; sources of accounts name the issuers they are asked about.
        callback: the configured address that a provider sends browsers back to; "" if there is none.
        logout_origins: where a sign-out may lead in addition to the origin of `logout_url`.
    """

    callback = ""
    logout_origins: tuple[str, ...] = ()

    def __init__(self, name: str, title: str, issuer: str) -> None:
        self.name = name
        self.title = title
        self.issuer = issuer

    @abstractmethod
    def handlers(self) -> list[tuple[Any, ...]]:
        """Return its handlers below the hub's prefix; the login page's button leads to the first."""

    def knows(self, state: Mapping[str, Any]) -> bool:
        """Return whether this auth_state is a login of this method, whose issuer is still the same."""
        identity = Identity.from_state(state.get("identity"))
        return method_name(state) == self.name and identity is not None and identity.issuer == self.issuer

    @abstractmethod
    async def refresh(self, state: Mapping[str, Any]) -> Login:
        """Return a known login, verified again.

        Raises:
            LoginExpired: it is no longer valid.
            Refused: the response is not acceptable, or is about somebody else.
            SourceUnavailable: there was no response; nothing may be concluded.
        """

    async def logout_url(self, state: Mapping[str, Any], return_to: str) -> str:
        """Return the address where a browser signs out of this method as well; "" if there is none.

        Args:
            return_to: the page that the browser comes back to.
        """
        return ""
