"""The hub's database, as the hub's own code opens it."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from jupyterhub import orm
from sqlalchemy import create_engine, event, text
from traitlets.config import Config

from daas_hub import configure
from tests.databases import ELSEWHERE, OWN_DATABASES

#: Stores a user as the hub does, says so, and waits to be killed.
COMMITS_AND_WAITS = """
import sys, time
from jupyterhub import orm
from traitlets.config import Config
from daas_hub import configure
configure(Config())
session = orm.new_session_factory(sys.argv[1])()
session.add(orm.User(name="anna"))
session.commit()
print("committed", flush=True)
time.sleep(60)
"""


@pytest.fixture
def hub_database(tmp_path: Path) -> Path:
    """The file of a hub's database, which a hub with `configure(c)` has made."""
    configure(Config())
    file = tmp_path / "jupyterhub.sqlite"
    orm.new_session_factory(f"sqlite:///{file}")().close()
    return file


def test_a_commit_of_the_hub_does_not_wait_for_the_disk(hub_database: Path) -> None:
    session = orm.new_session_factory(f"sqlite:///{hub_database}")()

    assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    assert session.execute(text("PRAGMA synchronous")).scalar() == 1  # NORMAL
    # what the hub sets on its connections stays
    assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_hub_that_is_killed_loses_no_commit(tmp_path: Path) -> None:
    file = tmp_path / "jupyterhub.sqlite"
    arguments = [sys.executable, "-c", COMMITS_AND_WAITS, f"sqlite:///{file}"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "committed\n"
        # the commit is in the log only: what a database without it would have lost
        assert file.with_name("jupyterhub.sqlite-wal").stat().st_size > 0
        process.kill()

    with sqlite3.connect(file) as database:
        assert database.execute("SELECT name FROM users").fetchall() == [("anna",)]


def test_without_a_log_each_commit_is_synchronised() -> None:
    """A database in memory has none, as a file system without shared memory has none."""
    configure(Config())
    session = orm.new_session_factory("sqlite:///:memory:")()

    assert session.execute(text("PRAGMA journal_mode")).scalar() == "memory"
    assert session.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL


def test_a_read_only_database_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE users (name TEXT)")
    database.close()
    configure(Config())
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(f"file:{file}?mode=ro", uri=True))

    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM users")).scalar() == 0


def test_a_file_is_not_checked_before_each_transaction(hub_database: Path) -> None:
    """JupyterHub does, with a transaction of its own: a server may have been restarted, and a file was not."""
    session = orm.new_session_factory(f"sqlite:///{hub_database}")()
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *call: statements.append(call[2]))
    for name in ("anna", "ben"):
        session.add(orm.User(name=name))
        session.commit()
    assert [one.split()[0] for one in statements] == ["INSERT", "INSERT"]


@pytest.mark.parametrize("url", ["postgresql+psycopg://server/hub", "mysql+pymysql://server/hub"])
def test_connections_to_a_server_are_checked_as_jupyterhub_does(url: str) -> None:
    for _ in range(2):
        configure(Config())
    engine = create_engine(url)
    orm.register_ping_connection(engine)
    assert len(engine.dispatch.engine_connect) == 1


def test_a_run_on_a_database_server_leaves_out_no_portal() -> None:
    """`make test-databases` ignores files of hubs that are not portals: their hubs store elsewhere."""
    for name in set(ELSEWHERE) - set(OWN_DATABASES):
        source = (Path(__file__).parent / "hub" / name).read_text()
        assert not re.search(r"\b(start_portal|open_doors|QueuePortal)\b|[(,] portal: Portal", source), name
