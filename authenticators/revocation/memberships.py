"""Running sessions: whether their owners are still members of the proposals whose data the sessions have.

What is mounted in a session cannot be taken out of it, so a session ends with the membership.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from daas_hub.accounts import Account
from daas_hub.authenticators.revocation.logins import sessions_of, stop_sessions
from daas_hub.authenticators.revocation.recheck import Verdict, Watch
from daas_hub.errors import NoAccount, Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.launch import visits_in

_log = logging.getLogger("jupyterhub.daas")
_ENDED = "memberships of proposals with running sessions would have ended: the source of proposals"


class Memberships:
    """Rechecks the proposals of running sessions, in one hub.

    Args:
        app: the hub.
        every_s: interval in seconds.
    """

    def __init__(self, app: Any, facility: Facility, *, every_s: float) -> None:
        self._app, self._facility = app, facility
        self.watch = Watch(self.keys, self.look, self.end, every_s, what=_ENDED)
        self._watching: asyncio.Future[None] | None = None
        self._lost: dict[str, str] = {}

    def begin(self) -> None:
        """Start rechecking."""
        self.watch.publish("proposals")
        self._watching = asyncio.ensure_future(self.watch.run())

    def keys(self) -> list[str]:
        """Return the running sessions with proposals, each as "user:session"."""
        return [
            f"{user.name}:{name}"
            for user in self._app.users.values()
            for name in sessions_of(user)
            if _proposals_of(user.spawners[name])
        ]

    async def look(self, key: str) -> Verdict:
        """Ask the sources, and nothing that is cached."""
        user, name = self._found(key)
        try:
            identity = await self._facility.identity_of_user(user)
            if identity is None:
                return Verdict.UNKNOWN
            # one whose account is gone is `hub_users`' affair
            account = await self._facility.account_of(identity)
            for proposal in _proposals_of(user.spawners[name]):
                if (await self._facility.proposal_of(account, proposal, fresh=True)).value is None:
                    self._lost[key] = proposal
                    return Verdict.GONE if await self._has_others(account) else Verdict.EMPTY
        except (NoAccount, Refused, SourceUnavailable):
            return Verdict.UNKNOWN
        return Verdict.THERE

    async def _has_others(self, account: Account) -> bool:
        """Return whether the source is known to have other proposals of this account."""
        try:
            return bool((await self._facility.proposals_of(account, fresh=True)).value)
        except SourceUnavailable:
            # they may also be too many to be read
            return False

    async def end(self, key: str) -> list[str]:
        """End a session whose owner is no longer a member; see `stop_sessions`."""
        user, name = self._found(key)
        proposal = self._lost.pop(key, "")
        _log.warning("session %s is stopped: its owner is no longer a member of %s", key, proposal)
        why = f"You are no longer a member of proposal {proposal}."
        left = await stop_sessions(self._app.proxy, user, [name], why=why)
        return [key] if left else []

    def _found(self, key: str) -> tuple[Any, str]:
        user, _, name = key.partition(":")
        return self._app.users[user], name


def _proposals_of(spawner: Any) -> list[str]:
    """Return the ids of a session's proposals."""
    return [*dict(visits_in(spawner.orm_spawner.user_options))]
