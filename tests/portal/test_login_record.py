"""The record of valid logins: one ends alone, all end together, and each expires."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import text

from daas_hub.portal.login_record import LoginRecord, session_id_of
from daas_hub.tables import upgrade_tables


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def db() -> Iterator[Any]:
    session = orm.new_session_factory("sqlite:///:memory:")()
    upgrade_tables(session.get_bind())
    upgrade_tables(session.get_bind())  # at the next start of the hub
    session.add(orm.OAuthClient(identifier="jupyterhub"))
    session.add_all([orm.User(name="anna"), orm.User(name="ben")])
    session.commit()
    yield session
    session.close()


def token_of(db: Any, session_id: str | None) -> None:
    user = db.query(orm.User).filter_by(name="anna").one()
    orm.APIToken.new(user=user, session_id=session_id, scopes=[])


def test_one_login_ends_with_its_tokens(db: Any) -> None:
    logins = LoginRecord(db)
    first, second = session_id_of(logins.begin(1, 1)), session_id_of(logins.begin(1, 1))
    for session_id in (first, second, None):
        token_of(db, session_id)
    logins.end(first)
    assert (logins.is_valid(first, 1), logins.is_valid(second, 1)) == (False, True)
    assert [row.session_id for row in db.query(orm.APIToken)] == [second, None]


def test_a_login_is_one_persons(db: Any) -> None:
    """A database may give the number of a removed user to somebody else."""
    logins = LoginRecord(db)
    one = session_id_of(logins.begin(1, 1))
    assert not logins.is_valid(one, 2)
    logins.end_all(2)
    assert logins.is_valid(one, 1)
    logins.end_all(1)
    assert not logins.is_valid(one, 1)


def test_a_login_expires_and_is_forgotten(db: Any) -> None:
    clock = Clock()
    logins = LoginRecord(db, clock)
    old = session_id_of(logins.begin(1, 0.5))
    clock.now += 0.5 * 86_400
    assert logins.is_valid(old, 1)
    clock.now += 1
    assert not logins.is_valid(old, 1)
    new = session_id_of(logins.begin(2, 0.5))
    assert [row.session_id for row in db.execute(text("SELECT session_id FROM daas_logins"))] == [new]


def test_the_session_id_is_not_the_secret(db: Any) -> None:
    secret = LoginRecord(db).begin(1, 1)
    assert secret not in session_id_of(secret)
    assert session_id_of(secret) == session_id_of(secret) != session_id_of(secret + "x")
