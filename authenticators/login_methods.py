"""Login methods: what the login page offers, and who is asked again about a login later.

An OpenID provider is one (`openidway`). Whatever else lets people in (a password form, a proxy in front) is another
object with these methods; the authenticator, the login page, the refresh and the logout know no more of it.

The handler in which a login ends calls the hub's `login_user`, and has two things for the authenticator: `method`, and
`finish_login()`, which gives the `Login` or raises `Refused` or `SourceUnavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from daas_hub.accounts import Identity


@dataclass(frozen=True)
class Login:
    """What a login method has proved.

    Attributes:
        identity: who it is.
        kept: what the method needs to ask again and to sign out (tokens, say). It is kept encrypted, as `auth_state`,
            together with the identity and the name of the method.
        proven: the claims `acr`, `amr` and `auth_time` of a login that was just made; a refresh proves none.
    """

    identity: Identity
    kept: Mapping[str, Any] = field(default_factory=dict, repr=False)
    proven: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def as_state(self, method: str) -> dict[str, Any]:
        """Return the hub's auth_state of this login."""
        return {**self.kept, "method": method, "identity": self.identity.as_state()}


class LoginMethod(Protocol):
    """What every login method owes."""

    @property
    def name(self) -> str:
        """Its name in addresses and in auth_state: small letters, digits, '-'."""
        ...

    @property
    def title(self) -> str:
        """What the login page calls it, after "Sign in with"."""
        ...

    @property
    def issuer(self) -> str:
        """Who vouches for the subjects it proves; sources of accounts name the issuers they are asked about."""
        ...

    def handlers(self) -> list[tuple[Any, ...]]:
        """Return its addresses below the hub's prefix; the first is where the login page's button leads."""
        ...

    def knows(self, state: Mapping[str, Any]) -> bool:
        """Return whether this auth_state is a login of this method as it is configured now."""
        ...

    async def again(self, state: Mapping[str, Any]) -> Login:
        """Ask again about a login it knows.

        Raises:
            LoginExpired: it no longer holds.
            Refused: the answer is about somebody else, or none.
            SourceUnavailable: nobody answered; nothing may be concluded.
        """
        ...

    async def farewell(self, state: Mapping[str, Any], portal: str) -> str:
        """Return the address where a browser signs out of this method as well; "" if there is none.

        Args:
            portal: the address of the page that the browser comes back to.
        """
        ...
