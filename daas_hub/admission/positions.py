"""The position of each ticket in the line of its place, and who behind it may start first all the same. Pure.

A position counts the tickets before it in the order of the queue. Those that are reserved sessions for wait in the same
line, and may start before it when one of their sessions ends; such ends make no room for anybody else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from daas_hub.admission.model import Demand, Occupied
from daas_hub.admission.queue import Waiting
from daas_hub.admission.quota import Reservation


@dataclass(frozen=True)
class Standing:
    """Where a ticket stands.

    Attributes:
        position: 1 is next.
        running: sessions of its place whose end may make room for it.
        reserved: those whose end makes none, because they are reserved for others.
        passing: tickets behind it that may start first, in sessions reserved for them.
        may_pass: whether it may start before some that are before it, in a session reserved for it.
    """

    position: int
    running: int
    reserved: int = 0
    passing: int = 0
    may_pass: bool = False


@dataclass(frozen=True)
class Positions:
    """The positions of all tickets; made once for each change, and asked for every page.

    Attributes:
        reservations: those that these are for.
    """

    reservations: tuple[Reservation, ...] = ()
    _of: Mapping[tuple[str, str], int] = field(default_factory=dict)
    #: sessions, by place; and those that have a reservation, by its number
    _running: Mapping[str, int] = field(default_factory=dict)
    _using: Mapping[tuple[str, int], int] = field(default_factory=dict)
    #: by place: the positions, ascending, of the tickets with the same reservations
    _alike: Mapping[str, Mapping[frozenset[int], Sequence[int]]] = field(default_factory=dict)

    @classmethod
    def made_of(
        cls, ordered: Iterable[Waiting], occupied: Iterable[Occupied], reservations: tuple[Reservation, ...]
    ) -> Positions:
        """Return those of tickets in the order of the queue."""
        running: Counter[str] = Counter()
        using: Counter[tuple[str, int]] = Counter()
        for one in occupied:
            running[one.demand.place] += 1
            using.update((one.demand.place, number) for number in _numbers(reservations, one.demand))
        found: dict[tuple[str, str], int] = {}
        before: Counter[str] = Counter()
        alike: dict[str, dict[frozenset[int], list[int]]] = defaultdict(lambda: defaultdict(list))
        for ticket in ordered:
            place = ticket.demand.place
            before[place] += 1
            found[ticket.demand.key] = before[place]
            alike[place][_numbers(reservations, ticket.demand)].append(before[place])
        return cls(reservations, found, running, using, alike)

    def of(self, demand: Demand, now: float) -> Standing:
        """Return where a launch stands that waits."""
        place, position = demand.place, self._of[demand.key]
        own = _numbers(self.reservations, demand)
        kept = {number for number, one in enumerate(self.reservations) if one.is_kept_from(demand, now)}
        running = self._running.get(place, 0)
        reserved = sum(min(self._using.get((place, number), 0), self.reservations[number].sessions) for number in kept)
        reserved = min(reserved, running)
        begun = {number for number in own if self.reservations[number].start <= now < self.reservations[number].end}
        passing, may_pass = 0, False
        for numbers, positions in self._alike[place].items():
            if numbers & kept:
                passing += len(positions) - bisect_right(positions, position)
            may_pass = may_pass or (not begun <= numbers and positions[0] < position)
        return Standing(position, running - reserved, reserved, passing, may_pass)


def _numbers(reservations: Sequence[Reservation], demand: Demand) -> frozenset[int]:
    """Return the numbers of the reservations that a launch may use."""
    return frozenset(
        number for number, one in enumerate(reservations) if one.place in ("", demand.place) and one.is_for(demand)
    )
