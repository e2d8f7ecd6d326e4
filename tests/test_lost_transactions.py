"""A transaction that is done again after its connection was lost: with SQLite, whose closed connection has lost it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import create_engine, event, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from daas_hub.database.lost_transactions import MAX_TIMES, repeat_lost_transactions
from daas_hub.database.server import bridge_restarts


class _Connection(sqlite3.Connection):
    """One that is found lost when it is used, as with a server."""

    is_lost = False

    def cursor(self, *_: Any) -> sqlite3.Cursor:
        return super().cursor(_Cursor)

    def commit(self) -> None:
        self._use()
        super().commit()

    def rollback(self) -> None:
        self._use()
        super().rollback()

    def _use(self) -> None:
        if self.is_lost:
            self.close()


class _Cursor(sqlite3.Cursor):
    def execute(self, *given: Any) -> sqlite3.Cursor:
        self.connection._use()
        return super().execute(*given)

    def executemany(self, *given: Any) -> sqlite3.Cursor:
        self.connection._use()
        return super().executemany(*given)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session with two users, anna and bert, on a file."""
    engine = create_engine(f"sqlite:///{tmp_path}/hub.sqlite", connect_args={"factory": _Connection})
    repeat_lost_transactions(engine.dialect)
    orm.Base.metadata.create_all(engine)
    with Session(engine, expire_on_commit=False) as opened:
        opened.add_all([orm.User(id=7, name="anna"), orm.User(id=8, name="bert")])
        opened.commit()
        yield opened
    engine.dispose()


def driver_of(session: Session) -> Any:
    """Return the driver's connection of the transaction."""
    return session.connection().connection.dbapi_connection


def lose(session: Session) -> None:
    """Lose the connection, and the transaction."""
    driver = driver_of(session)
    sqlite3.Connection.rollback(driver)
    driver.is_lost = True


def lose_answer(session: Session) -> None:
    """Lose the connection after the commit has arrived."""
    driver_of(session).commit()
    lose(session)


def stored(session: Session) -> dict[int, tuple[str, bool]]:
    """Return what others see."""
    with Session(session.get_bind()) as other:
        return {user.id: (user.name, user.admin) for user in other.query(orm.User)}


def behind_its_back(session: Session, statement: str) -> None:
    """Change the file."""
    with sqlite3.connect(session.get_bind().engine.url.database or "") as other:
        other.execute(statement)


def test_what_was_written_before_and_after_is_stored_once(session: Session) -> None:
    anna = orm.User.find(session, "anna")
    anna.admin = True
    orm.User.find(session, "bert").name = "ben"
    session.flush()
    lose(session)
    session.add(orm.User(name="clara"))
    session.flush()
    lose(session)
    session.commit()
    assert stored(session) == {7: ("anna", True), 8: ("ben", False), 9: ("clara", False)}


def test_a_row_keeps_its_key(session: Session) -> None:
    clara = orm.User(name="clara")
    session.add(clara)
    session.flush()
    assert clara.id == 9
    lose(session)
    # a server that was killed may forget which keys it has made; SQLite's next one would be 8 now
    behind_its_back(session, "DELETE FROM users WHERE id = 8")
    clara.admin = True
    session.commit()
    assert stored(session) == {7: ("anna", False), 9: ("clara", True)}


def test_rows_without_a_key_of_their_own_are_stored_once(session: Session) -> None:
    role = orm.Role(name="observer", scopes=[])
    session.add(role)
    role.users.extend(session.query(orm.User))
    session.flush()
    lose(session)
    session.commit()
    with Session(session.get_bind()) as other:
        assert [user.name for user in other.query(orm.Role).one().users] == ["anna", "bert"]


@pytest.mark.parametrize("lost", [lose, lose_answer])
def test_a_commit_without_an_answer_counts_once(session: Session, lost: Any) -> None:
    session.add(orm.User(name="clara"))
    orm.User.find(session, "anna").admin = True
    session.flush()
    lost(session)
    session.commit()
    assert stored(session) == {7: ("anna", True), 8: ("bert", False), 9: ("clara", False)}


def test_a_row_that_may_have_been_there_before_proves_nothing(session: Session) -> None:
    session.delete(orm.User.find(session, "bert"))
    session.flush()
    session.add(orm.User(id=8, name="clara"))
    session.flush()
    lose(session)
    with pytest.raises(DBAPIError):
        session.commit()
    session.rollback()
    assert stored(session) == {7: ("anna", False), 8: ("bert", False)}


@pytest.mark.parametrize("lost", [lose, lose_answer])
def test_a_change_without_a_new_row_is_repeated(session: Session, lost: Any) -> None:
    orm.User.find(session, "anna").admin = True
    session.flush()
    lost(session)
    session.commit()
    assert stored(session)[7] == ("anna", True)


def test_a_rollback_stays_one(session: Session) -> None:
    anna = orm.User.find(session, "anna")
    anna.admin = True
    session.flush()
    lose(session)
    session.rollback()
    assert not anna.admin
    anna.name = "anne"
    session.flush()
    lose(session)
    session.commit()
    assert stored(session)[7] == ("anne", False)


@pytest.mark.parametrize(
    "change",
    [
        text("UPDATE users SET name = name || '!' WHERE id = 7"),
        update(orm.User).where(orm.User.id == 7).values(name=orm.User.name + "!"),
    ],
)
def test_what_may_have_another_effect_the_second_time_is_not_repeated(session: Session, change: Any) -> None:
    session.execute(change, execution_options={"synchronize_session": False} if change.is_dml else {})
    lose_answer(session)
    with pytest.raises(DBAPIError) as raised:
        session.commit()
    assert raised.value.connection_invalidated
    session.rollback()
    assert stored(session)[7] == ("anna!", False)


def test_an_error_of_the_statement_is_not_repeated(session: Session) -> None:
    session.add(orm.User(name="anna"))
    with pytest.raises(DBAPIError) as raised:
        session.flush()
    assert not raised.value.connection_invalidated
    session.rollback()
    assert set(stored(session)) == {7, 8}


def test_a_server_that_stays_away_is_an_error(session: Session) -> None:
    def away(*_: Any) -> None:
        raise sqlite3.OperationalError("away")

    orm.User.find(session, "anna").admin = True
    session.flush()
    lose(session)
    event.listen(session.get_bind(), "do_connect", away)
    with pytest.raises(DBAPIError) as raised:
        session.commit()
    assert raised.value.connection_invalidated
    session.rollback()
    event.remove(session.get_bind(), "do_connect", away)
    assert stored(session)[7] == ("anna", False)
    orm.User.find(session, "anna").admin = True
    session.commit()
    assert stored(session)[7] == ("anna", True)


async def test_the_next_code_begins_anew(session: Session) -> None:
    """JupyterHub rolls back when a request has failed; what runs beside requests would fail until then."""
    bridge_restarts()
    orm.User.find(session, "anna").admin = True
    session.flush()
    # text is not repeated
    session.execute(text("SELECT 1"))
    lose(session)
    with pytest.raises(DBAPIError):
        session.commit()
    await asyncio.sleep(0)
    assert not orm.User.find(session, "anna").admin


def test_a_server_that_ends_each_connection_is_an_error_at_last(session: Session) -> None:
    connected: list[str] = []

    def connect(_dialect: Any, _record: Any, arguments: list[Any], _parameters: Any) -> sqlite3.Connection:
        connected.append("")
        connection = sqlite3.connect(arguments[0], factory=_Connection)
        connection.is_lost = True
        return connection

    orm.User.find(session, "anna").admin = True
    session.flush()
    lose(session)
    event.listen(session.get_bind(), "do_connect", connect)
    with pytest.raises(DBAPIError):
        session.commit()
    assert 0 < len(connected) <= MAX_TIMES
