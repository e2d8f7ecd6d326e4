"""Messages that wait to be sent, in the hub's database: a hub that is killed sends them when it is back.

Killed between the server's acceptance and the note of it, a hub sends a message twice. SMTP has no answer to that, and
a message twice is better than none (RFC 5321, 6.1); both have the same Message-ID, by which many mailboxes know it.
What was said while it was true is kept, too: a hub that is restarted does not say it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.exc import SQLAlchemyError

from daas_hub.mail.message import Notification
from daas_hub.tables import Message, commit

#: Most alternatives in one statement; SQLite allows more.
_AT_ONCE = 100

_log = logging.getLogger("jupyterhub.daas")


@dataclass(frozen=True)
class Waiting:
    """A message that waits.

    Attributes:
        posted: seconds since 1970.
    """

    id: int
    notification: Notification
    message_id: str
    posted: float


class KeptMessages:
    """The messages of one hub.

    Args:
        db: the hub's database session, with our tables.
    """

    def __init__(self, db: Any) -> None:
        self._db = db
        self._done: set[int] = set()

    def waiting(self) -> list[Waiting]:
        """Return what waits, the oldest first."""
        rows = self._db.query(Message).filter(Message.done.is_(None)).order_by(Message.id)
        return [_waiting(row) for row in rows]

    def said(self) -> set[tuple[str, str]]:
        """Return what was said, or is about to be: user, and what about."""
        return {(row.user, row.about) for row in self._db.query(Message).filter(Message.about != "")}

    def add(self, notifications: Iterable[tuple[Notification, str]], now: float) -> list[Waiting]:
        """Store messages, each with its Message-ID, and return them.

        Raises:
            SQLAlchemyError: none was stored.
        """
        rows = [
            Message(
                user=one.person,
                about=one.about,
                audience=None if one.audience is None else sorted(one.audience),
                subject=one.subject,
                text=one.text,
                message_id=number,
                posted=now,
            )
            for one, number in notifications
        ]
        self._db.add_all(rows)
        commit(self._db)
        return [_waiting(row) for row in rows]

    def note_done(self, message: Waiting, now: float) -> None:
        """Note that a message was sent, or given up. While the database is away, this is noted with the next one."""
        self._done.add(message.id)
        rows = self._db.query(Message).filter(Message.id.in_(list(self._done)))
        try:
            rows.filter(Message.about == "").delete(synchronize_session=False)
            rows.update({"subject": "", "text": "", "done": now}, synchronize_session=False)
            commit(self._db)
        except SQLAlchemyError as problem:
            self._db.rollback()
            _log.error("a message that was sent is still in the database: %s", type(problem).__name__)
            return
        self._done.clear()

    def forget(self, said: Iterable[tuple[str, str]]) -> None:
        """Forget what is no longer true: it may be said again. What waits is sent all the same.

        Raises:
            SQLAlchemyError: nothing was forgotten.
        """
        left = iter(said)
        while some := tuple(islice(left, _AT_ONCE)):
            rows = self._db.query(Message).filter(or_(*(_is(user, about) for user, about in some)))
            rows.filter(Message.done.isnot(None)).delete(synchronize_session=False)
            rows.update({"about": ""}, synchronize_session=False)
        commit(self._db)


def _is(user: str, about: str) -> ColumnElement[bool]:
    return and_(Message.user == user, Message.about == about)


def _waiting(row: Any) -> Waiting:
    audience = None if row.audience is None else frozenset(row.audience)
    notification = Notification(row.user, row.subject, row.text, row.about, audience)
    return Waiting(row.id, notification, row.message_id, row.posted)
