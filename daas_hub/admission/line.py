"""The tickets of one hub: who waits, in which order, and for how long. Durable; whose turn it is decides `queue`."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from daas_hub.admission.estimate import estimate
from daas_hub.admission.gate import Gate, Key
from daas_hub.admission.line_words import in_words
from daas_hub.admission.model import Demand
from daas_hub.admission.positions import Positions
from daas_hub.admission.queue import QueuePolicy, Waiting, in_order, next_change, next_to_start
from daas_hub.admission.quota import NoRoom, OverQuota
from daas_hub.tables import Ticket, commit

#: The longest time between two attempts.
MAX_RETRY_S = 600.0
#: In which the backend answers whether it has room; what it accepted may wait there for longer.
TRYING_S = 10.0


@dataclass(frozen=True)
class LineRules:
    """What limits the line.

    Attributes:
        tickets_per_person: launches of one person that wait.
        sessions_per_person: sessions of one person, with those that wait.
        retry_s: the time until the first new attempt after the backend had no room.
    """

    policy: QueuePolicy = field(default_factory=QueuePolicy)
    tickets_per_person: int = 3
    sessions_per_person: int = 10
    retry_s: float = 30.0


@dataclass(frozen=True)
class _Order:
    """The order of the queue, for as long as nothing changes.

    Attributes:
        version: of the tickets, and of what is in use.
        durations: how long the latest sessions of each place lasted.
        until: when time alone changes it.
    """

    version: tuple[int, int] = (-1, -1)
    tickets: tuple[Waiting, ...] = ()
    positions: Positions = field(default_factory=Positions)
    durations: Mapping[str, Sequence[float]] = field(default_factory=dict)
    until: float = math.inf

    def words(self, ticket: Waiting, now: float) -> str:
        """Return what pages say of a ticket; made for those that ask, and not for all at each change."""
        standing = self.positions.of(ticket.demand, now)
        waits = estimate(standing.position, standing.running, self.durations[ticket.demand.place])
        return f"{in_words(standing, waits)} {ticket.answer}".strip()


class Line:
    """The line before one gate.

    Args:
        db: the hub's database session.
        clock: seconds since 1970.
    """

    def __init__(self, gate: Gate, rules: LineRules, db: Any, clock: Callable[[], float] = time.time) -> None:
        self._gate = gate
        self._rules = rules
        self._db = db
        self._clock = clock
        self._rows: dict[Key, Ticket] = {(row.user, row.session): row for row in db.query(Ticket).order_by(Ticket.id)}
        self._waiting = {key: _waiting(row) for key, row in self._rows.items()}
        #: For which the backend had no room the last time; a new hub asks it again.
        self._lacking: set[Key] = set()
        self._version = 0
        self._order = _Order()

    # -- what pages show -----------------------------------------------------------------------------------------

    def has(self, key: Key) -> bool:
        """Return whether a session waits, or its turn has come and it does not run yet."""
        return key in self._waiting

    def options(self, key: Key) -> dict[str, Any]:
        """Return the launch request of a ticket."""
        return dict(self._rows[key].options)

    def words(self, key: Key) -> str:
        """Return what a page says of a ticket; "" without a ticket."""
        ticket = self._waiting.get(key)
        if ticket is None:
            return ""
        if ticket.is_called:
            return "It is your turn: the session is starting."
        return self._ordered().words(ticket, self._clock())

    def waiting(self) -> list[Waiting]:
        """Return the tickets in the order of the queue."""
        return list(self._ordered().tickets)

    def waits(self) -> list[tuple[str, float]]:
        """Return the place of each ticket that waits, and for how many seconds it has waited."""
        now = self._clock()
        return [(one.demand.place, now - one.arrived) for one in self._waiting.values() if not one.is_called]

    def is_empty(self) -> bool:
        """Return whether nobody waits."""
        return not self._waiting

    # -- tickets -------------------------------------------------------------------------------------------------

    def require_none_waits(self, demand: Demand) -> None:
        """Check that a start without a ticket passes nobody who could have its session.

        Raises:
            NoRoom: others wait.
        """
        if demand.key in self._waiting:
            return
        # room is looked for once for each kind, as in `next_to_start`
        kinds: dict[Hashable, list[Demand]] = defaultdict(list)
        for one in self._waiting.values():
            if not one.is_called and one.demand.place == demand.place:
                kinds[self._gate.rules.kind_of(one.demand)].append(one.demand)
        if count := sum(len(alike) for alike in kinds.values() if not self._lets_pass(alike[0], demand)):
            raise NoRoom(
                f"{count} launch{'es wait' if count > 1 else ' waits'} for a free session.",
                remedy="Launch from the portal's pages to wait in line.",
                place=demand.place,
            )

    def _lets_pass(self, first: Demand, demand: Demand) -> bool:
        """Return whether a launch that waits lacks only sessions that are reserved for another launch."""
        try:
            self._gate.require_room(first)
        except NoRoom as problem:
            return problem.lets_pass(demand)
        return False

    def require_may_join(self, demand: Demand) -> None:
        """Check whether a launch may wait.

        Raises:
            OverQuota: its person may not have it, or has too many.
            NoRoom: it could never start.
        """
        waiting = [one.demand for one in self._waiting.values() if not one.is_called]
        own = [one for one in waiting if one.user == demand.user]
        if len(own) >= self._rules.tickets_per_person:
            raise OverQuota(
                f"{len(own)} of your launches wait, and {self._rules.tickets_per_person} is the limit.",
                remedy="Leave the queue with one of them first.",
            )
        has = len(own) + sum(1 for one in self._gate.occupied if one.demand.user == demand.user)
        if has >= self._rules.sessions_per_person:
            limit = self._rules.sessions_per_person
            raise OverQuota(f"You have {has} sessions, and {limit} is the limit.", remedy="Stop one first.")
        self._gate.require_quota(demand, waiting)
        try:
            self._gate.require_room(demand)
        except NoRoom as problem:
            if problem.is_never:
                raise

    def join(self, demand: Demand, options: dict[str, Any]) -> None:
        """Let a launch wait (see `require_may_join`); one that waits already keeps its ticket."""
        if demand.key in self._waiting:
            return
        row = Ticket(
            user=demand.user,
            session=demand.session,
            options=options,
            needs=demand.as_json(),
            arrived=self._clock(),
            not_before=0.0,
            attempts=0,
            answer="",
        )
        self._db.add(row)
        commit(self._db)
        self._keep(row)

    def leave(self, key: Key) -> bool:
        """Remove a ticket; return whether there was one."""
        row = self._rows.get(key)
        if row is None:
            return False
        self._db.delete(row)
        commit(self._db)
        # only now: without the database it is still there
        self._lacking.discard(key)
        del self._rows[key], self._waiting[key]
        self._version += 1
        return True

    def called(self) -> list[Key]:
        """Return the sessions whose turn has come, and that were not seen running yet."""
        return [key for key, one in self._waiting.items() if one.is_called]

    def call_next(self) -> Waiting | None:
        """Return the ticket whose turn it is, with its resources occupied; None if it is nobody's."""
        now = self._clock()
        ordered = [one for one in self._ordered().tickets if not self._gate.is_open(one.demand.key)]
        trying = [
            self._waiting[key].demand for key in self._lacking if now - (self._rows[key].called or 0.0) < TRYING_S
        ]
        ticket = next_to_start(
            ordered, self._gate.require_room, now, self._rules.policy, trying, kind_of=self._gate.rules.kind_of
        )
        if ticket is None:
            return None
        row = self._rows[ticket.demand.key]
        # both in one commit
        row.called = self._clock()
        self._gate.occupy(ticket.demand, hold=True)
        return self._keep(row)

    def try_again(self, places: Container[str]) -> None:
        """Let tickets try at once for which the backend had no room: a session of their place has ended."""
        found = [key for key in self._lacking if self._waiting[key].demand.place in places]
        for key in found:
            row = self._rows[key]
            row.not_before, row.attempts = 0.0, 0
        if found:
            commit(self._db)
            for key in found:
                self._keep(self._rows[key])

    def put_back(self, key: Key, answer: str = "", *, wait: bool = False, lacks_room: bool = False) -> None:
        """Let a ticket wait again, in its order and with its age.

        Args:
            answer: why it did not start, worded for the owner.
            wait: before the next attempt, longer every time.
            lacks_room: whether the backend had no room for it.
        """
        if (row := self._rows.get(key)) is None:
            return
        (self._lacking.add if lacks_room else self._lacking.discard)(key)
        row.called, row.answer = None, answer
        if wait:
            row.not_before = self._clock() + min(MAX_RETRY_S, self._rules.retry_s * 2**row.attempts)
            row.attempts += 1
        commit(self._db)
        self._keep(row)

    def _keep(self, row: Ticket) -> Waiting:
        self._rows[row.user, row.session] = row
        key = row.user, row.session
        ticket = self._waiting[key] = replace(_waiting(row), lacks_room=key in self._lacking)
        self._version += 1
        return ticket

    def _ordered(self) -> _Order:
        """Return the order; computed once for each change."""
        version, rules, now = (self._version, self._gate.version), self._gate.rules, self._clock()
        is_known = self._order.version == version and now < self._order.until
        if not is_known or self._order.positions.reservations is not rules.reservations:
            occupied, policy = self._gate.occupied, self._rules.policy
            ordered = in_order(self._waiting.values(), occupied, policy, now, share=rules.share_of)
            durations = {place: self._gate.durations(place) for place in {one.demand.place for one in ordered}}
            positions = Positions.made_of(ordered, occupied, rules.reservations)
            until = next_change(ordered, policy, now)
            self._order = _Order(version, tuple(ordered), positions, durations, until)
        return self._order


def _waiting(row: Ticket) -> Waiting:
    return Waiting(
        id=row.id,
        demand=Demand.from_json(row.needs),
        arrived=row.arrived,
        not_before=row.not_before,
        is_called=row.called is not None,
        attempts=row.attempts,
        answer=row.answer,
    )
