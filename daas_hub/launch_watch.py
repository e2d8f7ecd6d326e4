"""One launch from its request to its route: its reference, the duration of its stages, and how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from daas_hub.audit.events import record_launch
from daas_hub.errors import DaasError, ErrorKind, Refused, SessionFailed
from daas_hub.launch import LaunchRequest, Plan, visits_in
from daas_hub.launch_reference import fill_slot, new_reference
from daas_hub.lifetime.decision import Verdict
from daas_hub.metrics.launches import count_failed, count_refused, count_started
from daas_hub.metrics.sessions import count_ended


class LaunchWatch:
    """Measures a launch, and counts how it ended, once.

    The stages: `authorise` (account, proposals, plan), `prepare` (an image that is pulled), `admit` (a queue), `start`
    (the backend), `respond` (the session answers its first request) and `route` (the proxy has it).

    Args:
        user: name of the hub user.
        session: name of the session.

    Attributes:
        reference: the id of this launch (see `daas_hub.launch_reference`).
    """

    def __init__(self, user: str, session: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self.reference = new_reference()
        self._user, self._session = user, session
        #: What the audit records of it.
        self._facts: dict[str, Any] = {"launch": self.reference}
        self._clock = clock
        fill_slot(self.reference)
        self._stages: dict[str, float] = {}
        self._stage = ""
        self._since = 0.0
        self._place = ""
        self._kind = ""
        self._is_over = False
        #: Whether it gave a session.
        self.is_started = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time within to this stage, and to no other."""
        outer = self._stage
        self.enter(name)
        try:
            yield
        finally:
            self.enter(outer)

    def enter(self, name: str) -> None:
        """Begin a stage, which ends when the next one begins; "" for none."""
        if self._is_over:
            return
        now = self._clock()
        if self._stage:
            self._stages[self._stage] = self._stages.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = name, now

    def requested(self, request: LaunchRequest) -> None:
        """Note what was asked for."""
        self._facts |= {"application": request.application, "proposals": request.proposals}
        record_launch("requested", self._user, self._session, **self._facts)

    def planned(self, plan: Plan) -> None:
        """Note what is launched."""
        self._place, self._kind = plan.place, str(plan.application.kind)
        self._facts |= {"account": plan.account.name, "place": plan.place}

    def failed(self, problem: DaasError) -> None:
        """Count that the launch was refused, or failed."""
        if self._end():
            if isinstance(problem, Refused):
                count_refused(problem.reason, problem.kind)
                action = "refused"
            else:
                count_failed(problem.reason, problem.kind, self._place)
                action = "failed"
            record_launch(action, self._user, self._session, **self._facts, reason=f"{problem.reason}: {problem.kind}")

    def follow(self, launching: asyncio.Future[Any] | None) -> None:
        """Count the end of the hub's own part, which waits for the first response and adds the route."""
        if launching is not None and not launching.done():
            launching.add_done_callback(self._launched)

    def _launched(self, launching: asyncio.Future[Any]) -> None:
        if launching.cancelled():
            self._end()
        elif (problem := launching.exception()) is not None:
            kind = ErrorKind.TIMEOUT if isinstance(problem, TimeoutError) else ErrorKind.SESSION
            self.failed(SessionFailed("The hub gave up waiting for the session.", kind=kind))
        elif self._end():
            self.is_started = True
            record_launch("started", self._user, self._session, **self._facts)
            count_started(self._place, self._kind, self._stages)

    def _end(self) -> bool:
        """Return whether this is the first end of this launch."""
        self.enter("")
        is_first, self._is_over = not self._is_over, True
        return is_first


def record_end(spawner: Any) -> None:
    """Record and count that a session has ended, also one that an earlier process of the hub started."""
    outlook = spawner.outlook()
    if outlook.verdict is Verdict.END and outlook.reason is not None:
        cause = str(outlook.reason)
    else:
        cause = "other" if spawner.ending else "stopped"
    count_ended(spawner.place, cause)
    _record(spawner, "ended", spawner.ending or cause)


def record_extension(spawner: Any) -> None:
    """Record that the time limit of a session was extended."""
    _record(spawner, "extended", "")


def _record(spawner: Any, action: str, reason: str) -> None:
    options = spawner.user_options or {}
    record_launch(
        action,
        spawner.user.name,
        spawner.name,
        application=str(options.get("application", "")),
        proposals=[proposal for proposal, _ in visits_in(options)],
        place=spawner.place,
        launch=spawner.reference,
        reason=reason,
    )
