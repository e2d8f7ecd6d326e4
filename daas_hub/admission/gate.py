"""Admission at the moment of a start: one decision, durable, and undone only when the backend says the session is gone.

What is in use is one row per session (`daas_hub.tables.Usage`) from its admission to its confirmed end. The row is
written where the decision is made, with nothing awaited in between: of many launches at once exactly as many are
admitted as there is room. Capacity is not given back by the code that ends a session, but by `settle`, which compares
all rows with what the hub and its records of sessions know. So it does not matter how a session ends: stopped, failed,
cancelled, lost with a hub that was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from daas_hub.admission.limits import DAY_S
from daas_hub.admission.model import Demand, Occupied
from daas_hub.admission.quota import NoRoom, Rules, require_hours, require_quota, require_room
from daas_hub.tables import Usage, commit

#: Ended sessions whose durations make an estimate.
MEASURED = 200

Key = tuple[str, str]


class Gate:
    """The admission of one hub.

    Args:
        db: the hub's database session.
        clock: seconds since 1970.
    """

    def __init__(self, rules: Rules, db: Any, clock: Callable[[], float] = time.time) -> None:
        self.rules = rules
        self._db = db
        self._clock = clock
        self._rows: dict[Key, Usage] = {}
        for row in db.query(Usage).filter(Usage.ended.is_(None)).order_by(Usage.id):
            self._rows[row.user, row.session] = row
        self._open = {key: _occupied(row) for key, row in self._rows.items()}
        self._ended = self._read_ended()
        self._held: set[Key] = set()
        #: of an earlier process of the hub, and not seen running since: they may have ended at any time
        self._unseen = set(self._rows)
        #: grows with every change
        self.version = 0

    # -- what is in use ------------------------------------------------------------------------------------------

    @property
    def occupied(self) -> list[Occupied]:
        """The sessions that have been admitted and have not ended."""
        return list(self._open.values())

    def is_open(self, key: Key) -> bool:
        """Return whether a session has its resources."""
        return key in self._open

    def now(self) -> float:
        """Return the time by the gate's clock."""
        return self._clock()

    def counted(self, waiting: Iterable[Demand] = (), *, apart_from: Key | None = None) -> list[Occupied]:
        """Return what limits count: open sessions, launches that wait, and ended sessions whose hours count."""
        now = self._clock()
        sessions = [one for key, one in self._open.items() if key != apart_from]
        sessions += [Occupied(one, now) for one in waiting if one.key != apart_from]
        return [*sessions, *(self._ended if self.rules.longest_days else ())]

    def durations(self, place: str) -> list[float]:
        """Return how many seconds the latest sessions of a place lasted."""
        here = [
            one.ended - one.started
            for one in self._ended[-MEASURED:]
            if one.started is not None and one.ended is not None and one.demand.place == place
        ]
        return here

    # -- a start -------------------------------------------------------------------------------------------------

    def require_quota(self, demand: Demand, waiting: Iterable[Demand] = ()) -> None:
        """Check the limits of people.

        Args:
            waiting: launches that wait, which count as if they ran.

        Raises:
            OverQuota: with the numbers.
        """
        if not self.rules.has_quotas:
            return
        require_quota(self.rules, demand, self.counted(waiting, apart_from=demand.key), self._clock())

    def require_room(self, demand: Demand) -> None:
        """Check the capacity of the place and of the portal.

        Raises:
            NoRoom: with the numbers.
        """
        if self.rules.has_capacity:
            require_room(self.rules, demand, self._open.values(), self._clock(), apart_from=demand.key)

    def admit(self, demand: Demand) -> None:
        """Admit a start and let it have its resources; a start that has been admitted is checked again.

        Raises:
            OverQuota, NoRoom: it may not start now; what it had is given back.
        """
        self.require_quota(demand)
        self.require_room(demand)
        self.occupy(demand)

    def occupy(self, demand: Demand, *, hold: bool = False) -> None:
        """Record that a session has its resources from now on.

        Args:
            hold: until `release`, even while the hub knows of no start.
        """
        now = self._clock()
        row = self._rows.get(demand.key)
        if row is None:
            row = Usage(user=demand.user, session=demand.session, admitted=now)
            self._db.add(row)
        row.proposals, row.groups = ", ".join(demand.proposals), sorted(demand.groups & self.rules.counted_groups)
        row.application, row.place, row.size = demand.application, demand.place, demand.size
        row.cpus, row.memory_bytes, row.gpus, row.hours = demand.cpus, demand.memory_bytes, demand.gpus, demand.hours
        if self.rules.has_quotas or self.rules.has_capacity:
            commit(self._db)
        # else nobody is refused for it: JupyterHub commits before a backend starts anything, and it goes with that
        self._rows[demand.key] = row
        self._open[demand.key] = _occupied(row)
        if hold:
            self._held.add(demand.key)
        self.version += 1

    def require_extension(self, key: Key, until: float, by_s: float) -> None:
        """Check whether an admitted session may last until then, which is `by_s` longer.

        Raises:
            OverQuota, NoRoom: its hours would be more than are left, or its session is reserved for others by then.
        """
        one, now = self._open.get(key), self._clock()
        if one is None:
            return
        if self.rules.longest_days:
            longer = replace(one.demand, hours=one.demand.hours + by_s / 3600)
            require_hours(self.rules, longer, self.counted(apart_from=key), now)
        if self.rules.reservations:
            rest = replace(one.demand, hours=(until - now) / 3600)
            try:
                require_room(self.rules, rest, self._open.values(), now, apart_from=key)
            except NoRoom as problem:
                # a capacity that has become smaller ends nobody's session earlier
                if problem.held_for:
                    raise

    def extend(self, key: Key, by_s: float) -> None:
        """Record that an admitted session may last `by_s` longer: from now on these hours count."""
        if (row := self._rows.get(key)) is None:
            return
        row.hours += by_s / 3600
        commit(self._db)
        self._open[key] = _occupied(row)
        self.version += 1

    def release(self, key: Key) -> None:
        """End a hold; the resources are given back by the next `settle` if nothing has started."""
        self._held.discard(key)

    # -- the end -------------------------------------------------------------------------------------------------

    def settle(self, running: Collection[Key], may_run: Callable[[Key], bool]) -> frozenset[str]:
        """Record which sessions have started, and give back the resources of those that are gone.

        Args:
            running: the sessions that are ready.
            may_run: whether a session starts, runs, or has an end that its backend has not confirmed.

        Returns:
            the places in which a session has ended.
        """
        now = self._clock()
        gone, has_changed = [], False
        for key, row in self._rows.items():
            if row.started is None and key in running:
                row.started, has_changed = now, True
                # again if a rollback removed it
                self._db.add(row)
                self._open[key] = _occupied(row)
            if key in running:
                self._unseen.discard(key)
            if key not in self._held and not may_run(key):
                row.ended = _latest_end(row, now) if key in self._unseen else now
                self._db.add(row)
                gone.append(key)
        if not gone and not has_changed:
            return frozenset()
        commit(self._db)
        # not one that never started: what it was refused is as it was
        ended = frozenset(self._open[key].demand.place for key in gone if self._rows[key].started is not None)
        self._unseen.difference_update(gone)
        for key in gone:
            self._ended.append(_occupied(self._rows.pop(key)))
            del self._open[key]
        if gone:
            self._forget_old(now)
        self.version += 1
        return ended

    def _read_ended(self) -> list[Occupied]:
        """Return the ended sessions whose hours or durations count, oldest first."""
        ended = self._db.query(Usage).filter(Usage.ended.is_not(None)).order_by(Usage.ended.desc())
        if days := self.rules.longest_days:
            return [_occupied(row) for row in ended.filter(Usage.ended > self._clock() - days * DAY_S)][::-1]
        return [_occupied(row) for row in ended.limit(MEASURED)][::-1]

    def _forget_old(self, now: float) -> None:
        since = now - self.rules.longest_days * DAY_S
        count = len(self._ended) - MEASURED
        self._ended = [one for n, one in enumerate(self._ended) if n >= count or (one.ended or 0) > since]


def _latest_end(row: Usage, now: float) -> float:
    """Return when a session ended at the latest that ended while no hub ran: then it ends itself at its time limit."""
    return now if row.started is None else min(now, row.started + row.hours * 3600)


def _occupied(row: Usage) -> Occupied:
    demand = Demand(
        user=row.user,
        session=row.session,
        application=row.application,
        size=row.size,
        cpus=row.cpus,
        memory_bytes=row.memory_bytes,
        hours=row.hours,
        gpus=row.gpus,
        proposals=tuple(row.proposals.split(", ")) if row.proposals else (),
        groups=frozenset(row.groups),
        place=row.place,
    )
    return Occupied(demand, row.admitted, row.started, row.ended)
