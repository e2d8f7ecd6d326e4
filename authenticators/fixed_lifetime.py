"""Login methods that cannot verify a login again: it expires after some hours, and the user signs in again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from daas_hub.accounts import Identity
from daas_hub.authenticators.errors import LoginExpired
from daas_hub.authenticators.login_methods import Login, LoginMethod

#: Tolerated difference between two clocks, in seconds.
_CLOCK_SKEW_S = 60


class FixedLifetime(LoginMethod):
    """Base of these methods.

    Args:
        hours: lifetime of a login.
    """

    def __init__(self, name: str, title: str, issuer: str, *, hours: float, clock: Callable[[], float]) -> None:
        super().__init__(name, title, issuer)
        self._hours = hours
        self._clock = clock

    def signed_in(self, subject: str, claims: Mapping[str, Any] | None = None) -> Login:
        """Return a new login of this subject."""
        now = self._clock()
        return Login(Identity(self.issuer, subject, claims=claims or {}, received_at=now), {"signed_in": now})

    async def refresh(self, state: Mapping[str, Any]) -> Login:
        """Return the login unchanged until it expires; its account is looked up again in any case."""
        identity, signed_in = Identity.from_state(state.get("identity")), state.get("signed_in")
        if identity is None or not isinstance(signed_in, int | float):
            raise LoginExpired("Your login is no longer known.", remedy="Please sign in again.")
        if not -_CLOCK_SKEW_S <= self._clock() - signed_in <= self._hours * 3600:
            raise LoginExpired("Your sign-in has expired.", remedy="Please sign in again.")
        return Login(identity, {"signed_in": signed_in})
