"""Whom notices are for, among the hub's users: the roles, groups and beamlines of a person, as their sources say.

Pages ask twice a second, so the answer is kept for a while, and only of what some notice is for. People of whom nothing
is known are in no audience: until a source has answered, they do not see its notices.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from daas_hub.accounts import Account
from daas_hub.accounts.hub_user import withheld_roles
from daas_hub.errors import Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.launch import groups_for_quotas
from daas_hub.notices import Notice, NoticeBoard

#: Seconds after which the sources are asked again about somebody with an open page or a session, and after an outage.
ASK_AGAIN_S, RETRY_S = 300.0, 30.0
#: People who are asked about at the same time: a notice is new to everybody at once.
_AT_ONCE = 8
_BEAMLINE = "beamline:"
_NOBODY: frozenset[str] = frozenset()

_log = logging.getLogger("jupyterhub.daas")


async def classes_among(
    facility: Facility, account: Account, audience: frozenset[str], withheld: frozenset[str] = _NOBODY
) -> frozenset[str]:
    """Return which of these roles, groups and beamlines a person has (see `Notice.audience`).

    A beamline is theirs with a proposal there.

    Args:
        withheld: roles of the account that this login does not have.

    Raises:
        SourceUnavailable: the proposals are not known, or too many to be read.
    """
    found = groups_for_quotas(account.roles - withheld, account.memberships)
    if any(one.startswith(_BEAMLINE) for one in audience):
        proposals = (await facility.proposals_of(account)).value
        found |= {f"{_BEAMLINE}{name}" for proposal in proposals for name in proposal.beamlines}
    return found & audience


@dataclass(frozen=True)
class _Answer:
    """What the sources said of a person: which classes were asked for, which they have, and when to ask again."""

    asked: frozenset[str]
    has: frozenset[str]
    until: float


class Audiences:
    """The people of one hub, as far as its notices are for some of them.

    Args:
        clock: seconds since any moment.
    """

    _known: ClassVar[WeakKeyDictionary[Any, Audiences]] = WeakKeyDictionary()

    def __init__(self, facility: Facility, board: NoticeBoard, clock: Callable[[], float] = time.monotonic) -> None:
        self._facility, self._board, self._clock = facility, board, clock
        self._answers: dict[str, _Answer] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @classmethod
    def start_with(cls, db: Any, facility: Facility, board: NoticeBoard) -> Audiences:
        """Let the hub with this database have audiences."""
        found = cls._known[db.get_bind()] = cls(facility, board)
        return found

    @classmethod
    def of(cls, db: Any) -> Audiences:
        """Return those of the hub with this database, which has started with them."""
        return cls._known[db.get_bind()]

    def shown_to(self, user: Any) -> tuple[Notice, ...]:
        """Return the notices that pages show a user of the hub; without a user, what everybody sees."""
        if user is None:
            return self._board.shown_to(None)
        return self._board.shown_to(user.name, self.classes_of(user))

    def classes_of(self, user: Any) -> frozenset[str]:
        """Return the classes of a user among those that notices are for, as far as they are known.

        The sources are asked in the background where they have to be; open pages see the difference.
        """
        audience = self._board.audience()
        if not audience:
            self._answers.clear()
            return _NOBODY
        answer = self._answers.get(user.name)
        if answer is None or not audience <= answer.asked or answer.until <= self._clock():
            self._ask(user, audience)
        if answer is None:
            return _NOBODY
        # the hub's flag may have gone since
        return answer.has - {f"role:{one}" for one in withheld_roles(user)}

    def note(self, user: Any, account: Account) -> None:
        """Note the account of a user that a page has asked for: its notices are right without another question."""
        audience = self._board.audience()
        if not audience:
            return
        has = groups_for_quotas(account.roles, account.memberships) & audience
        if not any(one.startswith(_BEAMLINE) for one in audience):
            self._answers[user.name] = _Answer(audience, has, self._clock() + ASK_AGAIN_S)
            return
        # of the beamlines another source is asked; until then they are as it said before
        earlier = self._answers.get(user.name, _Answer(audience, _NOBODY, self._clock()))
        beamlines = {one for one in earlier.has if one.startswith(_BEAMLINE)}
        self._answers[user.name] = replace(earlier, has=has | beamlines)
        self.classes_of(user)

    def _ask(self, user: Any, audience: frozenset[str]) -> None:
        # a service with a token has no account
        if user.name in self._asking or not hasattr(user, "get_auth_state"):
            return
        task = self._asking[user.name] = asyncio.ensure_future(self._answer(user, audience))
        task.add_done_callback(lambda _: self._asking.pop(user.name, None))

    async def _answer(self, user: Any, audience: frozenset[str]) -> None:
        has, valid_s = _NOBODY, ASK_AGAIN_S
        async with self._turns:
            try:
                identity = await self._facility.identity_of_user(user)
                if identity is not None:
                    account = await self._facility.account_of(identity)
                    has = await classes_among(self._facility, account, audience)
            except SourceUnavailable:
                # as roles, which stay while a source is down
                earlier = self._answers.get(user.name)
                has, valid_s = (earlier.has & audience if earlier is not None else _NOBODY), RETRY_S
            except Refused:
                pass
            except Exception:
                # whatever it is: they do not see the notice, and are not asked about twice a second
                _log.exception("notices for some people are not shown to %s", user.name)
                valid_s = RETRY_S
        self._answers[user.name] = _Answer(audience, has, self._clock() + valid_s)
