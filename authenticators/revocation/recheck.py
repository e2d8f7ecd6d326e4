"""Rechecks users with running sessions: sessions without an account are stopped, also with the browser closed.

A source that does not respond ends nothing. A source that responds wrongly must not end everybody's work: where most
of the users checked would lose their account at once, nothing is stopped, and the log says so.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

#: With fewer users, a broken source cannot be distinguished from people who left.
FEWEST_FOR_BRAKE = 5
#: Number of users checked at the same time.
AT_ONCE = 8
#: Minimum interval between rounds, also if one is requested.
SOONEST_S = 5.0

_log = logging.getLogger("jupyterhub.daas")


class Verdict(enum.Enum):
    """What the facility says of an account."""

    THERE = "there"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Decision:
    """Whose sessions end, and whether nothing is stopped because there would be too many."""

    end: tuple[str, ...]
    braked: bool = False


def decide(verdicts: Mapping[str, Verdict]) -> Decision:
    """Decide one round. Pure."""
    known = [name for name, verdict in verdicts.items() if verdict is not Verdict.UNKNOWN]
    gone = tuple(name for name in known if verdicts[name] is Verdict.GONE)
    if len(known) >= FEWEST_FOR_BRAKE and 2 * len(gone) > len(known):
        return Decision((), braked=True)
    return Decision(gone)


class Watch:
    """Rechecks all users with running sessions, periodically and on request.

    Args:
        people: returns their names.
        look: checks one of them.
        end: ends the sessions and logins of one of them.
        every_s: interval in seconds.
    """

    def __init__(
        self,
        people: Callable[[], list[str]],
        look: Callable[[str], Awaitable[Verdict]],
        end: Callable[[str], Awaitable[None]],
        every_s: float,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._people = people
        self._look = look
        self._end = end
        self._every_s = every_s
        self._wait = wait
        self._asked = asyncio.Event()

    def soon(self) -> None:
        """Request a round ahead of time: a user was refused for having no account."""
        self._asked.set()

    async def run(self) -> None:
        """Run rounds forever; an error in one is logged, and the next one follows."""
        while True:
            await self._wait(min(SOONEST_S, self._every_s))
            timer = asyncio.ensure_future(self._wait(max(0.0, self._every_s - SOONEST_S)))
            asked = asyncio.ensure_future(self._asked.wait())
            try:
                await asyncio.wait({timer, asked}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
                asked.cancel()
            self._asked.clear()
            try:
                await self.round()
            except Exception:
                _log.exception("this recheck of accounts failed; the next one follows")

    async def round(self) -> Decision:
        """Check everybody once, and end what has to end."""
        people = self._people()
        places = asyncio.Semaphore(AT_ONCE)
        verdicts = dict(zip(people, await asyncio.gather(*(self._verdict(one, places) for one in people)), strict=True))
        decision = decide(verdicts)
        if decision.braked:
            gone = sum(verdict is Verdict.GONE for verdict in verdicts.values())
            _log.error(
                "%d of %d users with running sessions would have no account any more: the source of accounts is "
                "probably wrong, and nothing was stopped",
                gone,
                len(verdicts),
            )
        for name in decision.end:
            try:
                await self._end(name)
            except Exception:
                _log.exception("the sessions of %s could not be ended", name)
        return decision

    async def _verdict(self, name: str, places: asyncio.Semaphore) -> Verdict:
        async with places:
            try:
                return await self._look(name)
            except Exception:
                # an error for one user must not hide the others
                _log.exception("the account of %s could not be checked", name)
                return Verdict.UNKNOWN
