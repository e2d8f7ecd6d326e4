"""How many sessions of one backend start at the same time: the others wait, in the order in which they arrived.

A start is work for processors: its container, the session's server, the X server, the application. Twenty that share
two processors are all ready at the end. In turns they need the same time together, and half of their users wait half
of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from bisect import insort
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from traitlets import Int

from daas_hub.admission.backend_capacity import BackendCapacity
from daas_hub.errors import DaasError
from daas_hub.launch import Plan
from daas_hub.spawners.recorded import RecordedSessionMixin

#: Seconds after which a turn ends although its session has not responded: it waits for something else than processors,
#: and a session that never responds must not hold up those of others.
MAX_TURN_S = 5.0


class Turn:
    """One start's turn. To end it twice does nothing."""

    def __init__(self, starts: ConcurrentStarts, owner: str, max_s: float) -> None:
        self._starts: ConcurrentStarts | None = starts
        self._owner = owner
        self._too_long = asyncio.get_running_loop().call_later(max_s, self.end)

    def end(self, _: object = None) -> None:
        """Let the next start begin."""
        self._too_long.cancel()
        starts, self._starts = self._starts, None
        if starts is not None:
            starts.leave(self._owner)


@dataclass(order=True, frozen=True)
class _Waiting:
    """A start that waits.

    Attributes:
        earlier: how many starts of the same owner had a turn or waited when it came.
        number: of its arrival.
    """

    earlier: int
    number: int
    future: asyncio.Future[None] = field(compare=False)
    report: Callable[[int], None] = field(compare=False)


class ConcurrentStarts:
    """The starts of a backend: those that have their turn, and those that wait for it.

    Nobody's second start is before another one's first: the others wait for one turn of a person who launches many.

    Args:
        limit: how many have their turn at once; 0 for no limit.
        max_turn_s: seconds after which a turn ends by itself.
    """

    def __init__(self, limit: int, max_turn_s: float = MAX_TURN_S) -> None:
        self._limit = limit
        self._max_turn_s = max_turn_s
        self._running = 0
        self._waiting: list[_Waiting] = []
        self._of_owner: Counter[str] = Counter()
        self._arrivals = itertools.count()

    async def turn(self, owner: str, report: Callable[[int], None]) -> tuple[Turn, bool]:
        """Wait for a turn; return it, and whether it had to be waited for.

        Args:
            report: called with the number of starts before this one, at first and whenever others have begun or left.
        """
        earlier = self._of_owner[owner]
        self._of_owner[owner] += 1
        if not self._limit or (self._running < self._limit and not self._waiting):
            self._running += 1
            return Turn(self, owner, self._max_turn_s), False
        future = asyncio.get_running_loop().create_future()
        waiting = _Waiting(earlier, next(self._arrivals), future, report)
        insort(self._waiting, waiting)
        report(self._running + self._waiting.index(waiting))
        try:
            await future
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                self._forget(owner)
                self._report()
            else:
                # it was this one's turn in the same moment
                self.leave(owner)
            raise
        return Turn(self, owner, self._max_turn_s), True

    def leave(self, owner: str) -> None:
        """Count one start less, and let the next one begin."""
        self._forget(owner)
        self._running -= 1
        # one whose wait was cancelled in the same moment removes itself
        following = [one for one in self._waiting if not one.future.done()]
        for one in following[: max(0, self._limit - self._running)]:
            self._running += 1
            self._waiting.remove(one)
            one.future.set_result(None)
        self._report()

    def _forget(self, owner: str) -> None:
        self._of_owner[owner] -= 1
        if not self._of_owner[owner]:
            del self._of_owner[owner]

    def _report(self) -> None:
        for before, waiting in enumerate(self._waiting, self._running):
            waiting.report(before)


#: Of this process, by the loop that they wait in: the backend's class, and its place.
_known: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], ConcurrentStarts]] = WeakKeyDictionary()


class ConcurrentStartsMixin(RecordedSessionMixin):
    """A spawner whose starts have turns."""

    concurrent_starts = Int(
        None,
        allow_none=True,
        min=0,
        config=True,
        help="""
        Number of sessions that start at the same time; further ones wait for them, in order of arrival, but nobody's
        second one before another user's first. The time that they wait is not part of `start_timeout`. 0: no limit.
        Default: None, the number of processors of the machine that runs the sessions.
        """,
    )

    _turn: Turn | None = None

    async def prepare(self, plan: Plan) -> bool:
        """Wait for a turn; return whether others had to be waited for."""
        took_long = await super().prepare(plan)
        starts = await self._starts()
        reported = 0

        def report(before: int) -> None:
            nonlocal reported
            # a line for each of many would push the others out of sight
            if not reported or before <= reported // 2:
                reported = before
                self.report_progress(_words(before))

        self._end_turn()
        with self.launching.stage("admit") if self.launching is not None else contextlib.nullcontext():
            self._turn, waited = await starts.turn(self.user.name, report)
        if self._spawn_future is not None:
            # also of a start that ends before it began
            self._spawn_future.add_done_callback(self._turn.end)
        return took_long or waited

    async def start(self) -> str:
        """Start the session, and let the next one begin when this one has responded, or failed."""
        try:
            return str(await super().start())
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end()

    async def _starts(self) -> ConcurrentStarts:
        known = _known.setdefault(asyncio.get_running_loop(), {})
        backend = (type(self).__name__, self.place)
        if backend not in known:
            limit = self.concurrent_starts
            if limit is None:
                try:
                    limit = _processors(await self.backend_capacity())
                except (DaasError, OSError):
                    # the start will say it; the next one asks again
                    return ConcurrentStarts(0)
            known.setdefault(backend, ConcurrentStarts(limit))
        return known[backend]


def _processors(capacity: BackendCapacity | None) -> int:
    """Return the processors of a machine, rounded up; 0 for a backend that is not one."""
    if capacity is None or not capacity.is_machine or capacity.limits.cpus is None:
        return 0
    return max(1, -int(-capacity.limits.cpus // 1))


def _words(before: int) -> str:
    if before == 1:
        return "Waiting: one session starts before yours"
    return f"Waiting: {before} sessions start before yours"
