"""A login that nobody can be asked about again: it is good for its hours, and then one signs in anew."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from daas_hub.accounts import Identity
from daas_hub.authenticators.errors import LoginExpired
from daas_hub.authenticators.login_methods import Login

#: Seconds by which two clocks may be apart.
_APART_S = 60


class FixedLifetime:
    """What login methods have in common that cannot ask again; see `LoginMethod`."""

    name: ClassVar[str] = ""

    def __init__(self, hours: float, clock: Callable[[], float]) -> None:
        self._hours = hours
        self._clock = clock

    @property
    @abstractmethod
    def issuer(self) -> str:
        """Who vouches for the subject."""

    def signed_in(self, subject: str, claims: Mapping[str, Any] | None = None) -> Login:
        """Return the login of somebody who was proved just now."""
        now = self._clock()
        return Login(Identity(self.issuer, subject, claims=claims or {}, told_at=now), {"signed_in": now})

    def knows(self, state: Mapping[str, Any]) -> bool:
        """Return whether a login came through this method, for this issuer."""
        identity = Identity.from_state(state.get("identity"))
        return state.get("method") == self.name and identity is not None and identity.issuer == self.issuer

    async def again(self, state: Mapping[str, Any]) -> Login:
        """Let a login be good for its hours; its account is looked up anew all the same."""
        identity, signed_in = Identity.from_state(state.get("identity")), state.get("signed_in")
        if identity is None or not isinstance(signed_in, int | float):
            raise LoginExpired("Your login is no longer known.", remedy="Please sign in again.")
        if not -_APART_S <= self._clock() - signed_in <= self._hours * 3600:
            raise LoginExpired("Your login has been good for its hours.", remedy="Please sign in again.")
        return Login(identity, {"signed_in": signed_in})

    async def farewell(self, state: Mapping[str, Any], portal: str) -> str:
        """Return no further place to sign out at."""
        return ""
