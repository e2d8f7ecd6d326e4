"""Our tables: created, upgraded from the first release, and finished after an interruption at every statement."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from daas_hub.errors import ConfigurationError
from daas_hub.mail import KeptMessages
from daas_hub.notices import NoticeBoard
from daas_hub.tables import Base, Ticket, upgrade_tables
from tests.tables.interrupted import differences, finish_interrupted

VERSION = text("SELECT version_num FROM daas_alembic_version")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Any]:
    """A hub's database, with JupyterHub's tables."""
    session = orm.new_session_factory(f"sqlite:///{tmp_path / 'hub.sqlite'}")()
    yield session.get_bind()
    session.close()


def upgrade_from(engine: Any, revision: str, *statements: str) -> None:
    """Make what an earlier revision has by statements, and upgrade it."""
    upgrade_tables(engine)
    with engine.begin() as connection:
        for one in (*statements, f"UPDATE daas_alembic_version SET version_num = '{revision}'"):
            connection.execute(text(one))
    upgrade_tables(engine)
    assert differences(engine) == []


def test_the_migrations_make_the_models(engine: Any) -> None:
    upgrade_tables(engine)
    assert differences(engine) == []
    upgrade_tables(engine)  # at the next start of the hub
    with engine.connect() as connection:
        assert connection.execute(VERSION).scalar() == "0007"


def test_the_hubs_own_tables_keep_their_revision(engine: Any) -> None:
    with engine.connect() as connection:
        before = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    upgrade_tables(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == before
    # JupyterHub opens it again
    orm.new_session_factory(str(engine.url))().close()


def test_a_database_of_the_first_release_keeps_its_logins(engine: Any) -> None:
    Base.metadata.tables["daas_logins"].create(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO daas_logins VALUES ('a', 1, 2.5)"))
    upgrade_tables(engine)
    assert differences(engine) == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT session_id, user_id, expires_at FROM daas_logins")).all() == [
            ("a", 1, 2.5)
        ]


def test_notices_of_an_earlier_release_are_for_the_pages_only(engine: Any) -> None:
    columns = "(kind, level, text, begins, made_by, made_at)"
    upgrade_from(
        engine, "0003",
        "ALTER TABLE daas_notices DROP COLUMN in_sessions",
        f"INSERT INTO daas_notices {columns} VALUES ('banner', 'info', 'x', 1, 'c', 1)",
    )  # fmt: skip
    with Session(engine) as db:
        (notice,) = NoticeBoard(db).all()
    assert not notice.in_sessions


def test_notices_and_messages_of_an_earlier_release_are_for_everybody(engine: Any) -> None:
    of_notices, of_messages = (
        "kind, level, text, begins, made_by, made_at",
        "user, about, subject, text, message_id, posted",
    )
    upgrade_from(
        engine, "0006",
        "ALTER TABLE daas_notices DROP COLUMN audience",
        "ALTER TABLE daas_messages DROP COLUMN audience",
        f"INSERT INTO daas_notices ({of_notices}) VALUES ('banner', 'info', 'x', 1, 'c', 1)",
        f"INSERT INTO daas_messages ({of_messages}) VALUES ('anna', '', 'x', 'x', '1', 1)",
    )  # fmt: skip
    with Session(engine) as db:
        (notice,) = NoticeBoard(db).all()
        (message,) = KeptMessages(db).waiting()
    assert notice.audience is None
    assert message.notification.audience is None


def test_an_upgrade_that_is_interrupted_anywhere_is_finished_by_the_next(tmp_path: Path) -> None:
    numbers = itertools.count()
    finish_interrupted(lambda: f"sqlite:///{tmp_path / f'{next(numbers)}.sqlite'}")


def test_tables_of_a_later_release_are_refused(engine: Any) -> None:
    upgrade_tables(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE daas_alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match=r"later release .*9999.* Install that release"):
        upgrade_tables(engine)


def test_no_column_holds_a_path_or_an_id_of_the_machine() -> None:
    names = {column.name for table in Base.metadata.tables.values() for column in table.columns}
    assert not {name for name in names if any(word in name for word in ("path", "uid", "gid", "home"))}


def test_a_ticket_has_a_number_that_grows(engine: Any) -> None:
    upgrade_tables(engine)
    with Session(engine) as db:
        for user in ("anna", "ben"):
            db.add(Ticket(user=user, session="s", options={}, needs={}, arrived=1.0))
        db.commit()
        assert [(one.user, one.attempts, one.answer, one.called) for one in db.query(Ticket).order_by(Ticket.id)] == [
            ("anna", 0, "", None),
            ("ben", 0, "", None),
        ]
    assert inspect(engine).has_table("daas_usage")
