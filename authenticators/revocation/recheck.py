"""Rechecks what running sessions need: accounts and memberships of proposals, also with the browser closed.

A source that does not respond ends nothing. A source that responds wrongly must not end everybody's work: where most
of what is checked would end at once, or a source of proposals is suddenly empty, nothing is stopped: the recheck is
frozen until the source answers again, which log, metrics and `daas-hub status` report.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from daas_hub.metrics.revocation import publish_frozen, publish_unconfirmed

#: With fewer users, a broken source cannot be distinguished from people who left.
FEWEST_FOR_BRAKE = 5
#: Number of checks, and of ends, at the same time: with a source that responds within a second, a round of 200 is over
#: within half a minute, so that `recheck_s` and a round together stay within five minutes.
AT_ONCE = 16
#: Minimum interval between rounds, also if one is requested.
SOONEST_S = 5.0

_log = logging.getLogger("jupyterhub.daas")


class Verdict(enum.Enum):
    """What the facility says of an account, or of a membership.

    EXPIRED is an account whose end date has just passed: many have the same, and it shows nothing about the source.
    EMPTY is a membership that is gone, with all others of the person: so answers a source that lost its data, too.
    """

    THERE = "there"
    GONE = "gone"
    EMPTY = "empty"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


#: What shows that a source works.
_ANSWERS = (Verdict.THERE, Verdict.GONE, Verdict.EMPTY)


@dataclass(frozen=True)
class Decision:
    """Whose sessions end, and whether nothing is stopped because there would be too many."""

    end: tuple[str, ...]
    braked: bool = False


def decide(verdicts: Mapping[str, Verdict]) -> Decision:
    """Decide one round. Pure."""
    expired = tuple(name for name, verdict in verdicts.items() if verdict is Verdict.EXPIRED)
    known = [name for name, verdict in verdicts.items() if verdict not in (Verdict.UNKNOWN, Verdict.EXPIRED)]
    gone = tuple(name for name in known if verdicts[name] in (Verdict.GONE, Verdict.EMPTY))
    # nobody has anything: nothing shows that the source works
    is_empty = bool(gone) and all(verdicts[name] is Verdict.EMPTY for name in known)
    if is_empty or (len(known) >= FEWEST_FOR_BRAKE and 2 * len(gone) > len(known)):
        return Decision(expired, braked=True)
    return Decision((*gone, *expired))


class Watch:
    """Rechecks everybody with running sessions, periodically and on request.

    Args:
        people: returns the names of what is checked.
        look: checks one of them.
        end: ends the sessions of one of them; returns those whose end is not confirmed.
        every_s: interval in seconds, from the beginning of a round to that of the next.
        what: what they would not have any more, for the log.
    """

    def __init__(
        self,
        people: Callable[[], list[str]],
        look: Callable[[str], Awaitable[Verdict]],
        end: Callable[[str], Awaitable[Sequence[str] | None]],
        every_s: float,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        what: str = "users with running sessions would have no account any more: the source of accounts",
    ) -> None:
        self._people = people
        self._look = look
        self._end = end
        self._every_s = every_s
        self._wait = wait
        self._what = what
        self._asked = asyncio.Event()
        #: How many rounds were ended by the brake, and how many ends of the last round were not confirmed.
        self.braked = 0
        self.unconfirmed = 0
        #: Whether nothing is stopped since a round was ended by the brake: no round since then had a good answer.
        self.is_frozen = False
        self._failed: tuple[str, ...] = ()

    def soon(self) -> None:
        """Request a round ahead of time: a user was refused for having no account."""
        self._asked.set()

    def publish(self, check: str) -> None:
        """Publish from now on whether this recheck is frozen, and which of its ends failed."""
        publish_frozen(check, lambda: self.is_frozen)
        publish_unconfirmed(f"recheck of {check}", self.not_ended)

    def not_ended(self) -> list[str]:
        """Return those that the last round could not even try to end, of those that still have to be checked."""
        checked = set(self._people()) if self._failed else set()
        return [name for name in self._failed if name in checked]

    async def run(self) -> None:
        """Run rounds forever; an error in one is logged, and the next one follows."""
        clock = asyncio.get_running_loop().time
        spent_s = 0.0
        while True:
            await self._wait(min(SOONEST_S, self._every_s))
            timer = asyncio.ensure_future(self._wait(max(0.0, self._every_s - SOONEST_S - spent_s)))
            asked = asyncio.ensure_future(self._asked.wait())
            try:
                await asyncio.wait({timer, asked}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
                asked.cancel()
            self._asked.clear()
            began = clock()
            try:
                await self.round()
            except Exception:
                _log.exception("this recheck of accounts failed; the next one follows")
            spent_s = clock() - began

    async def round(self) -> Decision:
        """Check everybody once, and end what has to end."""
        people = self._people()
        places = asyncio.Semaphore(AT_ONCE)
        verdicts = dict(zip(people, await asyncio.gather(*(self._verdict(one, places) for one in people)), strict=True))
        decision = decide(verdicts)
        # silence does not show that the source works again
        if decision.braked or not verdicts or any(one in _ANSWERS for one in verdicts.values()):
            self.is_frozen = decision.braked
        if decision.braked:
            self.braked += 1
            gone = sum(verdict in (Verdict.GONE, Verdict.EMPTY) for verdict in verdicts.values())
            _log.error(
                "%d of %d %s is probably wrong, and nothing was stopped", gone, len(verdicts), self._what
            )  # fmt: skip
        self._failed = ()
        left = await asyncio.gather(*(self._ended(one, places) for one in decision.end))
        self.unconfirmed = sum(len(one) for one in left)
        if self.unconfirmed:
            _log.error(
                "%d sessions that lost their right may still run: their routes are closed, and their ends are not "
                "confirmed (%s)",
                self.unconfirmed,
                ", ".join(name for one in left for name in one),
            )
        return decision

    async def _ended(self, name: str, places: asyncio.Semaphore) -> Sequence[str]:
        """End the sessions of one, and return those that may still run."""
        async with places:
            try:
                return await self._end(name) or ()
            except Exception:
                _log.exception("the sessions of %s could not be ended", name)
                self._failed += (name,)
                return (name,)

    async def _verdict(self, name: str, places: asyncio.Semaphore) -> Verdict:
        async with places:
            try:
                return await self._look(name)
            except Exception:
                # an error for one user must not hide the others
                _log.exception("the account of %s could not be checked", name)
                return Verdict.UNKNOWN
