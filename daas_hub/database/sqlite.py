"""The hub's SQLite database: a write-ahead log instead of a journal that is made and removed at every commit.

A launch makes some 16 commits, all in the event loop. With a rollback journal each of them waits four times for the
disk; with the log none does. After a crash of the hub nothing is lost; after a power cut the last commits may be, and
the file stays consistent (docs/explanations/decisions/0023-write-ahead-log.md). PostgreSQL and MariaDB are not touched.

JupyterHub checks each connection with a transaction of its own before it uses it. A server may have been restarted, and
a file was not: a start saves twelve such transactions (docs/explanations/decisions/0033-what-a-start-costs-the-hub.md).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any


def use_write_ahead_log() -> None:
    """Set a write-ahead log on every SQLite connection that SQLAlchemy opens in this process."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "connect", _on_connect):
        event.listen(Engine, "connect", _on_connect)


def check_only_servers() -> None:
    """Let JupyterHub check connections to a database server before it uses them, and none to SQLite."""
    from jupyterhub import orm

    if not isinstance(orm.register_ping_connection, _ServersOnly):
        orm.register_ping_connection = _ServersOnly(orm.register_ping_connection)


class _ServersOnly:
    """Registers JupyterHub's check for an engine, unless its database is a file."""

    def __init__(self, register: Callable[[Any], None]) -> None:
        self._register = register

    def __call__(self, engine: Any) -> None:
        if engine.dialect.name != "sqlite":
            self._register(engine)


def _on_connect(connection: Any, _record: object) -> None:
    """Set the journal of a new connection, where its file system can have one.

    A file system without shared memory (NFS, CIFS) keeps the rollback journal, and then every commit is synchronised:
    without the log, less than that could damage the file.
    """
    if not isinstance(connection, sqlite3.Connection):
        return
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError:
        return  # a database that is locked or read-only: the hub's own first statement says so
    if mode == "wal":
        connection.execute("PRAGMA synchronous = NORMAL")
