"""The notices of one hub: kept in its database, and in memory for pages, which ask twice a second."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from daas_hub.errors import Refused
from daas_hub.notices.model import Kind, Level, Notice
from daas_hub.notices.words import refusal
from daas_hub.tables import Acknowledgement, NoticeRow, commit

#: Notices that have ended are kept for operators to look at for this long.
KEPT_S = 30 * 86_400
_FIELDS = ("text", "begins", "ends", "stops_sessions_at", "in_sessions", "made_by", "made_at")


class NoticeBoard:
    """The notices of one hub.

    Args:
        db: the hub's database session, with our tables.
        clock: seconds since 1970.
    """

    _known: ClassVar[WeakKeyDictionary[Any, NoticeBoard]] = WeakKeyDictionary()

    def __init__(self, db: Any, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self.clock = clock
        self._notices = tuple(_notice(row) for row in db.query(NoticeRow).order_by(NoticeRow.id))
        self._acknowledged: set[tuple[int, str]] = {
            (row.notice_id, row.user) for row in db.query(Acknowledgement).all()
        }

    @classmethod
    def start_with(cls, db: Any) -> NoticeBoard:
        """Read the notices of a hub that is starting."""
        board = cls._known[db.get_bind()] = cls(db)
        return board

    @classmethod
    def of(cls, db: Any) -> NoticeBoard | None:
        """Return the notices of the hub with this database; None if it is a hub without the portal."""
        return cls._known.get(db.get_bind()) if db is not None else None

    def all(self) -> tuple[Notice, ...]:
        """Return every notice that is kept, the oldest first."""
        return self._notices

    def audience(self) -> frozenset[str]:
        """Return the roles, groups and beamlines that notices are for which have not ended."""
        now = self.clock()
        return frozenset(name for one in self._notices if not one.is_over(now) for name in one.audience or ())

    def shown_to(self, user: str | None, classes: Collection[str] = ()) -> tuple[Notice, ...]:
        """Return the notices that pages show now, a maintenance first.

        Args:
            user: the hub's name of a person; None for somebody who is not signed in, and acknowledges nothing.
            classes: the person's roles, groups and beamlines (see `Notice.audience`).
        """
        now = self.clock()
        found = [
            one
            for one in self._notices
            if one.is_shown(now)
            and one.is_for(classes)
            and (one.kind is not Kind.ACKNOWLEDGE or (user is not None and (one.id, user) not in self._acknowledged))
        ]
        return _by_urgency(found)

    def shown_in_sessions(self, classes: Collection[str] = ()) -> tuple[Notice, ...]:
        """Return the notices that pages of a person's running sessions show now, a maintenance first."""
        now = self.clock()
        return _by_urgency(one for one in self._notices if one.concerns_sessions(now) and one.is_for(classes))

    def maintenance(self) -> Notice | None:
        """Return the maintenance that is announced or active."""
        now = self.clock()
        return next((one for one in self._notices if one.kind is Kind.MAINTENANCE and not one.is_over(now)), None)

    def is_open(self) -> bool:
        """Return whether sessions may start now: no maintenance has begun."""
        maintenance = self.maintenance()
        return maintenance is None or not maintenance.is_active(self.clock())

    def require_open(self, zone: datetime.tzinfo) -> None:
        """Check that sessions may start now.

        Raises:
            InMaintenance: they may not; with the sentence for the user.
        """
        now, maintenance = self.clock(), self.maintenance()
        if maintenance is not None and maintenance.is_active(now):
            raise refusal(maintenance, now, zone)

    def add(self, notice: Notice) -> Notice:
        """Store a notice, and return it with its id.

        Raises:
            Refused: there is a maintenance already.
        """
        if notice.kind is Kind.MAINTENANCE and self.maintenance() is not None:
            raise Refused("A maintenance is announced already.", remedy="End that one first.")
        row = NoticeRow(
            kind=str(notice.kind),
            level=str(notice.level),
            audience=None if notice.audience is None else sorted(notice.audience),
            **{name: getattr(notice, name) for name in _FIELDS},
        )
        self._db.add(row)
        commit(self._db)
        stored = _notice(row)
        self._notices = (*self._notices, stored)
        self._forget_old()
        return stored

    def withdraw(self, notice_id: int) -> bool:
        """Remove a notice; return False if no notice has this id."""
        if all(one.id != notice_id for one in self._notices):
            return False
        self._remove([notice_id])
        return True

    def acknowledge(self, notice_id: int, user: str, classes: Collection[str] = ()) -> None:
        """Record that a person has read a notice; once is enough, and one that is gone or for others needs nobody."""
        is_asked = any(
            one.id == notice_id and one.kind is Kind.ACKNOWLEDGE and one.is_for(classes) for one in self._notices
        )
        if not is_asked or (notice_id, user) in self._acknowledged:
            return
        self._db.add(Acknowledgement(notice_id=notice_id, user=user, at=self.clock()))
        commit(self._db)
        self._acknowledged.add((notice_id, user))

    def readers(self, notice_id: int) -> int:
        """Return how many people have acknowledged a notice."""
        return sum(one == notice_id for one, _ in self._acknowledged)

    def _forget_old(self) -> None:
        before = self.clock() - KEPT_S
        self._remove([one.id for one in self._notices if one.is_over(before)])

    def _remove(self, ids: list[int]) -> None:
        if not ids:
            return
        for table, column in ((NoticeRow, NoticeRow.id), (Acknowledgement, Acknowledgement.notice_id)):
            self._db.query(table).filter(column.in_(ids)).delete()
        commit(self._db)
        self._notices = tuple(one for one in self._notices if one.id not in ids)
        self._acknowledged = {one for one in self._acknowledged if one[0] not in ids}


_URGENCY = {Level.INFO: 0, Level.WARNING: 1, Level.CRITICAL: 2}


def _by_urgency(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    return tuple(sorted(notices, key=lambda one: (one.kind is not Kind.MAINTENANCE, -_URGENCY[one.level], -one.id)))


def _notice(row: Any) -> Notice:
    values = {name: getattr(row, name) for name in _FIELDS}
    audience = None if row.audience is None else frozenset(row.audience)
    return Notice(id=row.id, kind=Kind(row.kind), level=Level(row.level), audience=audience, **values)
