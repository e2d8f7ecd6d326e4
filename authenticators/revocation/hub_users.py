"""Users with running sessions: whether they still have an account, also with the browser closed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from daas_hub.accounts import Identity
from daas_hub.accounts.refusals import AccessEnded
from daas_hub.authenticators.errors import Blocked
from daas_hub.authenticators.login_methods import LoginMethod
from daas_hub.authenticators.revocation.logins import sessions_of, stop_sessions
from daas_hub.authenticators.revocation.recheck import Verdict, Watch
from daas_hub.errors import NoAccount, Refused, SourceUnavailable

#: Sessions are rechecked every few minutes: an end that passed earlier than this was not known while they ran.
RECENT_S = 86_400.0

_log = logging.getLogger("jupyterhub.daas")


class Logins(Protocol):
    """The methods of the authenticator that are needed here."""

    def method_of(self, state: Mapping[str, Any]) -> LoginMethod | None:
        """Return the login method of a stored login."""
        ...

    async def ask_again(self, user: Any) -> Any:
        """Ask login method and facility again; raises `NoAccount`, `Refused`, `SourceUnavailable`."""
        ...

    async def require_known(self, identity: Identity) -> Any:
        """Ask the facility about an identity; raises `NoAccount`, `Blocked`, `Refused`, `SourceUnavailable`."""
        ...

    async def end_everything(self, user: Any) -> None:
        """End every login of a user, and revoke their access tokens."""
        ...


class RunningUsers:
    """Rechecks these users, in one hub.

    Args:
        app: the hub.
        logins: the authenticator.
        every_s: interval in seconds.
    """

    def __init__(self, app: Any, logins: Logins, *, every_s: float, clock: Callable[[], float] = time.time) -> None:
        self._app = app
        self._clock = clock
        self._logins = logins
        self._watch = Watch(self.names, self.look, self.end, every_s)
        self._watching: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """Start rechecking."""
        self._watch.publish("accounts")
        self._watching = asyncio.ensure_future(self._watch.run())

    def soon(self) -> None:
        """Recheck soon: a user was just found to have no account."""
        self._watch.soon()

    def names(self) -> list[str]:
        """Return the hub's names of users with running sessions."""
        return [user.name for user in self._app.users.values() if sessions_of(user)]

    async def look(self, name: str) -> Verdict:
        """Recheck a user; what the provider says about their login does not end sessions by itself."""
        user = self._app.users[name]
        try:
            state = await user.get_auth_state() or {}
            if self._logins.method_of(state) is not None:
                # claims from which an account is derived have to be fresh
                await self._logins.ask_again(user)
                return Verdict.THERE
        except (NoAccount, Blocked) as problem:
            return self._verdict_of(problem)
        except SourceUnavailable:
            state = await user.get_auth_state() or {}
        except Refused:
            # the provider has ended this login: the next request of it asks again, instead of relying on an earlier
            # answer, so that open pages close within five minutes, too
            user._auth_refreshed = None
            state = await user.get_auth_state() or {}
        identity = Identity.from_state(state.get("identity")) or Identity.from_state(state.get("ended"))
        if identity is None:
            return Verdict.UNKNOWN
        try:
            await self._logins.require_known(identity)
        except (NoAccount, Blocked) as problem:
            return self._verdict_of(problem)
        except (Refused, SourceUnavailable):
            return Verdict.UNKNOWN
        return Verdict.THERE

    def _verdict_of(self, problem: Refused) -> Verdict:
        """Return EXPIRED for an end that has just passed; a source that states ends of long ago may be wrong."""
        is_recent = isinstance(problem, AccessEnded) and self._clock() - problem.ended_at < RECENT_S
        return Verdict.EXPIRED if is_recent else Verdict.GONE

    async def end(self, name: str) -> list[str]:
        """End the sessions and logins of a user whose account is gone, or who was blocked; see `stop_sessions`."""
        user = self._app.users[name]
        names = sessions_of(user)
        _log.warning(
            "sessions of %s are stopped, and the login is ended: the account is gone or blocked (%s)", name, names
        )
        await self._logins.end_everything(user)
        left = await stop_sessions(self._app.proxy, user, names)
        return [f"{name}:{server}" for server in left]
