"""The order of the queue, and whose turn it is. Pure and deterministic: the caller gives the time.

**Order.** A ticket's rank is its arrival plus a handicap: `person_step_s` for each session that its person has and each
earlier ticket of theirs, and `proposal_step_s` for each of its proposal; `max_handicap_s` at most. While its visit
takes place, a launch ranks `beamtime_lead_s` earlier (0 by default), also if the visit begins while it waits. The
lowest rank is first. So people take turns, a proposal does not fill the line, and waiting alone brings a ticket
forward: ranks of tickets that wait do not grow, except at the end of a beamtime, and those of new ones do.

**Room.** A ticket for which there is no room lets others pass that fit, until it has waited `patience_s`. From then on
nothing behind it starts in its place (or anywhere, if the whole portal is full), and the room that becomes free
gathers. If the only free sessions are reserved for others, those others still start: they take none that it could have.

**Guarantee.** In its place a ticket is overtaken only by tickets that arrived within max(`max_handicap_s` +
`beamtime_lead_s`, `patience_s`) after it, and by those that start in a session reserved for them and not for it. So as
long as sessions and reservations end, every ticket starts: of the sessions that are not reserved, the number that start
before it is limited by the tickets that were there and those that arrived in that time. While a ticket waits after the
backend had no room for it (`Waiting.not_before`), and tries again, only others pass that need less of something.
`tests/admission/test_queue.py` shows it with 10,000 arrivals.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from daas_hub.admission.model import Demand, Occupied
from daas_hub.admission.quota import NoRoom


@dataclass(frozen=True)
class QueuePolicy:
    """The numbers of the order; see this module."""

    person_step_s: float = 600.0
    proposal_step_s: float = 120.0
    max_handicap_s: float = 3600.0
    beamtime_lead_s: float = 0.0
    patience_s: float = 900.0

    @property
    def overtaking_s(self) -> float:
        """How much later a ticket may have arrived and still start earlier, in a session that is not reserved."""
        return max(self.max_handicap_s + self.beamtime_lead_s, self.patience_s)


@dataclass(frozen=True)
class Waiting:
    """A ticket.

    Attributes:
        not_before: the earliest time of the next attempt; 0 for now.
        is_called: its turn has come, and its session is starting.
        attempts: how often the backend had no room for it.
        answer: what the backend said then, worded for the owner.
        lacks_room: whether the backend had no room for it the last time, as opposed to another reason that passes.
    """

    id: int
    demand: Demand
    arrived: float
    not_before: float = 0.0
    is_called: bool = False
    attempts: int = 0
    answer: str = ""
    lacks_room: bool = False


def in_order(
    tickets: Iterable[Waiting],
    occupied: Iterable[Occupied],
    policy: QueuePolicy,
    now: float,
    share: Callable[[Demand], float] = lambda _: 1.0,
) -> list[Waiting]:
    """Return the tickets that wait, the next one first.

    Args:
        occupied: the sessions that have not ended.
        now: seconds since 1970; the order is right until `next_change`.
        share: the weight of a launch (see `quota.ClassRule`).
    """
    of_person: Counter[str] = Counter()
    of_proposal: Counter[str] = Counter()

    def count(demand: Demand) -> None:
        of_person[demand.user] += 1
        of_proposal.update(demand.proposals)

    for one in occupied:
        if one.ended is None:
            count(one.demand)
    ranked = []
    for ticket in sorted(tickets, key=lambda one: (one.arrived, one.id)):
        if ticket.is_called:
            # it is among the occupied
            continue
        demand = ticket.demand
        steps = policy.person_step_s * of_person[demand.user]
        steps += policy.proposal_step_s * max((of_proposal[one] for one in demand.proposals), default=0)
        handicap = min(policy.max_handicap_s, steps / share(demand))
        lead = policy.beamtime_lead_s if demand.is_beamtime(now) else 0.0
        ranked.append((ticket.arrived + handicap - lead, ticket.arrived, ticket.id, ticket))
        count(demand)
    return [ticket for *_, ticket in sorted(ranked, key=lambda one: one[:3])]


def next_change(tickets: Iterable[Waiting], policy: QueuePolicy, now: float) -> float:
    """Return when time alone changes the order: a beamtime of one that waits begins or ends; infinite if none does."""
    if not policy.beamtime_lead_s:
        return math.inf
    moments = (moment for one in tickets for beamtime in one.demand.beamtimes for moment in beamtime)
    return min((moment for moment in moments if moment > now), default=math.inf)


def next_to_start(
    ordered: Sequence[Waiting],
    require_room: Callable[[Demand], None],
    now: float,
    policy: QueuePolicy,
    trying: Iterable[Demand] = (),
    *,
    kind_of: Callable[[Demand], Hashable] = lambda demand: demand.key,
) -> Waiting | None:
    """Return the ticket whose turn it is; None if nobody's.

    Args:
        ordered: what `in_order` returned.
        trying: launches for which the backend had no room, and which it is asked for again now: nobody who needs as
            much may be faster.
        require_room: raises `NoRoom` for a launch that does not fit now.
        kind_of: returns what that depends on. It is asked once for each kind: with 1,000 sessions and 1,000 tickets,
            asking it for each ticket would take the hub a second.
    """
    closed_by: list[NoRoom] = []
    no_room: dict[Hashable, NoRoom] = {}
    refused = list(trying)
    for ticket in ordered:
        if ticket.not_before > now:
            if ticket.lacks_room:
                refused.append(ticket.demand)
            continue
        if not all(one.lets_pass(ticket.demand) for one in closed_by):
            continue
        if any(_needs_as_much(ticket.demand, one) for one in refused):
            continue
        kind = kind_of(ticket.demand)
        if kind not in no_room:
            try:
                require_room(ticket.demand)
            except NoRoom as problem:
                no_room[kind] = problem
            else:
                return ticket
        if now - ticket.arrived >= policy.patience_s:
            closed_by.append(no_room[kind])
    return None


def _needs_as_much(demand: Demand, other: Demand) -> bool:
    """Return whether a launch needs as much of everything as another one of its place, for which there is no room."""
    return (
        demand.place == other.place
        and demand.cpus >= other.cpus
        and demand.memory_bytes >= other.memory_bytes
        and demand.gpus >= other.gpus
    )
