"""The tables. Their names begin with `daas_`; JupyterHub's own upgrade does not touch them.

They hold names, numbers and what people are written: no path, no uid, no gid, no address. People are known by their
name in the hub, and not by a foreign key: usage is counted after an account was removed, and a database may give its
number to another user. A change of a table needs a migration in `migrations/versions` (`tests/tables` compares the
two).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, Double, Float, Integer, String, Text, false
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: FLOAT has 24 bits in MariaDB, where a time would be right to two minutes.
NUMBER = Float().with_variant(Double(), "mysql", "mariadb")


class Base(DeclarativeBase):
    """Base of our tables, apart from those of JupyterHub."""


class Login(Base):
    """A login that is valid (see `daas_hub.portal.login_record`)."""

    __tablename__ = "daas_logins"

    session_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(Integer, index=True)
    expires_at: Mapped[float] = mapped_column(NUMBER, index=True)


class Ticket(Base):
    """A launch that waits in the queue.

    Attributes:
        session: the name of the session that is to start, unique for its user.
        options: the launch request (`LaunchRequest.as_json`): ids only. It is authorised again when its turn comes.
        arrived: seconds since 1970; with `id`, the age that the order depends on.
        needs: what was requested, as the order and the room were decided with (`daas_hub.admission.model.Demand`).
        called: when its turn came; None while it waits. The ticket is kept until the session runs.
        not_before: the earliest time of the next attempt, after the backend had no room.
        attempts: how often the backend had none.
        answer: what the backend said then, worded for the owner; "" for nothing.
    """

    __tablename__ = "daas_tickets"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user: Mapped[str] = mapped_column(String(255), index=True)
    session: Mapped[str] = mapped_column(String(255))
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    needs: Mapped[dict[str, Any]] = mapped_column(JSON)
    arrived: Mapped[float] = mapped_column(NUMBER)
    called: Mapped[float | None] = mapped_column(NUMBER, nullable=True)
    not_before: Mapped[float] = mapped_column(NUMBER, default=0.0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    answer: Mapped[str] = mapped_column(Text, default="")


class Usage(Base):
    """One session, from its admission to its end: what quotas count, and what `daas-hub usage` reports.

    Attributes:
        proposals: the ids of its proposals, separated by ", "; "" for an own resource.
        groups: the person's roles and groups that have a quota or a reservation, when it was admitted.
        hours: the time limit of its size.
        admitted, started, ended: seconds since 1970. `started` is empty until it runs, and `ended` until the
            backend has confirmed its end; until then its resources are in use.
    """

    __tablename__ = "daas_usage"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user: Mapped[str] = mapped_column(String(255), index=True)
    session: Mapped[str] = mapped_column(String(255))
    proposals: Mapped[str] = mapped_column(Text, default="")
    groups: Mapped[list[str]] = mapped_column(JSON)
    application: Mapped[str] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(64), default="")
    size: Mapped[str] = mapped_column(String(64))
    cpus: Mapped[float] = mapped_column(NUMBER)
    memory_bytes: Mapped[float] = mapped_column(NUMBER)
    gpus: Mapped[int] = mapped_column(Integer, default=0)
    hours: Mapped[float] = mapped_column(NUMBER)
    admitted: Mapped[float] = mapped_column(NUMBER)
    started: Mapped[float | None] = mapped_column(NUMBER, nullable=True)
    ended: Mapped[float | None] = mapped_column(NUMBER, nullable=True, index=True)


class NoticeRow(Base):
    """A notice of the operators (see `daas_hub.notices`). Times are seconds since 1970.

    Attributes:
        audience: whom it is for, as `daas_hub.notices.Notice` has it; NULL for everybody.
    """

    __tablename__ = "daas_notices"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    level: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    begins: Mapped[float] = mapped_column(NUMBER)
    ends: Mapped[float | None] = mapped_column(NUMBER, nullable=True)
    stops_sessions_at: Mapped[float | None] = mapped_column(NUMBER, nullable=True)
    in_sessions: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    audience: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True), nullable=True)
    made_by: Mapped[str] = mapped_column(String(255))
    made_at: Mapped[float] = mapped_column(NUMBER)


class Message(Base):
    """A message to a person that waits to be sent, or that is not sent again (see `daas_hub.mail.kept`).

    No address is stored: it is looked up when the message is sent.

    Attributes:
        about: the fact that it reports, "end terminal-1" for instance: while it holds, one message is sent. "" for a
            message that is sent once in any case.
        audience: whom it is for, as of a notice; the person may be none of them. NULL for whoever it is addressed to.
        subject, text: "" from `done` on.
        message_id: its Message-ID, with which it is also sent again.
        posted, done: seconds since 1970. `done` is empty until it was sent, or given up.
    """

    __tablename__ = "daas_messages"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user: Mapped[str] = mapped_column(String(255), index=True)
    about: Mapped[str] = mapped_column(String(300))
    audience: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True), nullable=True)
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(255))
    posted: Mapped[float] = mapped_column(NUMBER)
    done: Mapped[float | None] = mapped_column(NUMBER, nullable=True)


class Acknowledgement(Base):
    """That a person has read a notice."""

    __tablename__ = "daas_acknowledgements"

    notice_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user: Mapped[str] = mapped_column(String(255), primary_key=True)
    at: Mapped[float] = mapped_column(NUMBER)


def commit(db: Any) -> None:
    """Commit the hub's database session; it stays usable if that fails.

    Raises:
        SQLAlchemyError: nothing was stored.
    """
    try:
        db.commit()
    except SQLAlchemyError:
        db.rollback()
        raise
