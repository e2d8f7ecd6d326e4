"""Starts the launches whose turn has come, and gives back what ended sessions had; every second, and when asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from daas_hub.admission.gate import Gate, Key
from daas_hub.admission.line import Line
from daas_hub.admission.model import Demand
from daas_hub.admission.quota import NoRoom, OverQuota
from daas_hub.database import is_database_away
from daas_hub.launch_reference import open_slot

INTERVAL_S = 1.0
#: Seconds after which the log says again that the database is away.
REMIND_S = 300.0
#: After these reasons (`DaasError.reason`) a launch keeps its ticket: it is not the person who was refused.
KEEPS_TICKET = frozenset({"capacity", "maintenance", "source", "throttled"})

_log = logging.getLogger("jupyterhub.daas")


class Sessions(Protocol):
    """What the hub knows of its sessions."""

    def running(self) -> Collection[Key]:
        """Return those that are ready."""

    def possible(self) -> Collection[Key]:
        """Return those that start, run or stop, as far as the hub itself knows."""

    def may_run(self, key: Key) -> bool:
        """Return whether the records of a backend have a session whose end was not confirmed."""

    def can_start(self) -> bool:
        """Return whether the hub starts one more now."""


class NotStarted(Exception):
    """A launch from the queue that failed.

    Attributes:
        reason: a `DaasError.reason`.
    """

    def __init__(self, words: str, reason: str) -> None:
        super().__init__(words)
        self.reason = reason


class Dispatcher:
    """Watches one gate, and serves its line.

    Args:
        line: None if launches do not wait.
        start: starts the session of a ticket with its options; returns when it runs, and raises `NotStarted`.
        clock: seconds, for how long the database is away.
    """

    def __init__(
        self,
        gate: Gate,
        sessions: Sessions,
        line: Line | None = None,
        start: Callable[[Key, dict[str, object]], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gate = gate
        self._sessions = sessions
        self._line = line
        self._start = start
        self._starting: dict[Key, asyncio.Task[None]] = {}
        self._asked = asyncio.Event()
        self._outage = _Outage(clock)

    def ask(self) -> None:
        """Let the next round come now: something has changed."""
        self._asked.set()

    async def run(self) -> None:
        """Serve until the hub ends."""
        while True:
            self._try_round()
            try:
                async with asyncio.timeout(INTERVAL_S):
                    await self._asked.wait()
            except TimeoutError:
                pass
            self._asked.clear()

    async def serve_now(self, key: Key, wait_s: float) -> None:
        """Serve the queue at once; if it is this session's turn, wait a moment for its start."""
        self._try_round(key)
        if (start := self._starting.get(key)) is not None:
            await asyncio.wait([start], timeout=wait_s)

    def _try_round(self, asked_by: Key | None = None) -> None:
        try:
            self.round(asked_by)
        except Exception as problem:
            # whatever it is: the next round must come
            if is_database_away(problem):
                self._outage.note(problem)
            else:
                _log.exception("the queue could not be served")
        else:
            self._outage.end()

    def admit(self, demand: Demand) -> None:
        """Admit a start.

        Raises:
            OverQuota, NoRoom: with the numbers.
        """
        if self._line is not None or self._gate.is_open(demand.key):
            self.settle()
        if self._line is not None:
            self._line.require_none_waits(demand)
        try:
            self._gate.admit(demand)
        except (OverQuota, NoRoom):
            # one may just have ended; with 1,000 sessions, comparing them costs as much as a start
            self.settle()
            self._gate.admit(demand)

    def settle(self) -> Collection[Key]:
        """Compare what is in use with what runs; return what runs."""
        running, possible = self._sessions.running(), self._sessions.possible()
        ended = self._gate.settle(running, lambda key: key in possible or self._sessions.may_run(key))
        if ended and self._line is not None:
            self._line.try_again(ended)
        return running

    def round(self, asked_by: Key | None = None) -> None:
        """Compare what is in use with what runs, then start what has room. Nothing is awaited.

        Args:
            asked_by: the session whose request this is; the log lines of other starts have nothing to do with it.
        """
        running = self.settle()
        line, start = self._line, self._start
        if line is None or start is None or line.is_empty():
            return
        for key in line.called():
            if key in self._starting:
                continue
            if key in running:
                line.leave(key)
            elif not self._gate.is_open(key):
                # the hub ended during its start, of which nothing is left
                line.put_back(key)
        while self._sessions.can_start() and (ticket := line.call_next()) is not None:
            key = ticket.demand.key
            _log.info("queue: the turn of %s:%s", *key)
            self._starting[key] = asyncio.ensure_future(self._serve(line, start, key, is_own=key == asked_by))

    async def _serve(
        self, line: Line, start: Callable[[Key, dict[str, object]], Awaitable[None]], key: Key, *, is_own: bool
    ) -> None:
        if not is_own:
            open_slot()
        try:
            await self._start_one(line, start, key)
        except Exception as problem:
            # the next round finds the ticket as it was stored
            if not is_database_away(problem):
                raise
            self._outage.note(problem)
        finally:
            self._gate.release(key)
            del self._starting[key]
            self.ask()

    async def _start_one(
        self, line: Line, start: Callable[[Key, dict[str, object]], Awaitable[None]], key: Key
    ) -> None:
        options = line.options(key)
        try:
            await start(key, options)
        except NotStarted as problem:
            _log.info("queue: %s:%s did not start: %s", *key, problem)
            if problem.reason in KEEPS_TICKET:
                line.put_back(key, str(problem), wait=True, lacks_room=problem.reason == "capacity")
            else:
                line.leave(key)
        except Exception:
            _log.exception("queue: %s:%s could not be started", *key)
            line.leave(key)
        else:
            line.leave(key)


class _Outage:
    """Says in the log that the database is away, rarely, and once when it is back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None
        self._said = 0.0

    def note(self, problem: Exception) -> None:
        """Note that it does not answer."""
        now = self._clock()
        if self._since is None:
            _log.error("the queue is not served: the database does not answer (%s)", type(problem).__name__)
            self._since = self._said = now
        elif now - self._said >= REMIND_S:
            _log.error("the queue is not served: the database has not answered for %.0f s", now - self._since)
            self._said = now

    def end(self) -> None:
        """Note that it answers."""
        if self._since is not None:
            _log.warning("the queue is served again: the database is back after %.0f s", self._clock() - self._since)
            self._since = None
