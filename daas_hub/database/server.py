"""A database server that is restarted while the hub runs: PostgreSQL, MariaDB, MySQL.

JupyterHub keeps one SQLAlchemy session for everything, and a transaction is open in it most of the time. One whose
connection is lost is done again (`lost_transactions`). So that little has to be, one that has changed nothing is ended
as soon as the code that began it returns to the event loop. The next one checks its connection first, as
JupyterHub configures it, connects again, and waits a few seconds for a server that is being restarted. The hub waits as
a whole: it can do nothing without its database. A server that is away for longer is then tried once for each
transaction, and pages say so at once (docs/explanations/decisions/0030-database-restarts.md).
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any
from weakref import WeakKeyDictionary

from daas_hub.database.lost_transactions import repeat_lost_transactions

#: Seconds that the first connection waits for a server that is away: a restart takes less.
RESTART_S = 8.0
_TRY_AGAIN_S = 0.1

#: Limits of a connection, by the name of SQLAlchemy's driver: a server that is silent must not stop the hub for ever.
_LIMITS: dict[str, dict[str, Any]] = {
    "psycopg": {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_count": 3, "tcp_user_timeout": 20_000},
    "psycopg2": {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_count": 3, "tcp_user_timeout": 20_000},
    "pymysql": {"connect_timeout": 5, "read_timeout": 20, "write_timeout": 20},
    "mysqldb": {"connect_timeout": 5, "read_timeout": 20, "write_timeout": 20},
}

#: What tells servers apart, among the parameters of the drivers.
_ADDRESS = ("host", "port", "unix_socket", "dbname", "database")

_log = logging.getLogger("jupyterhub.daas")


def bridge_restarts() -> None:
    """Let every SQLAlchemy session of this process survive a restart of its database server."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.orm import Session

    if not event.contains(Engine, "do_connect", _connect):
        event.listen(Engine, "do_connect", _connect)
        event.listen(Engine, "handle_error", _on_error)
        event.listen(Session, "after_begin", _on_begin)
        event.listen(Session, "after_flush", _on_change)
        event.listen(Session, "do_orm_execute", _on_execute)


#: When a server was first found away, in seconds of `time.monotonic()`, by its address; while it is.
_away_since: dict[tuple[Any, ...], float] = {}
#: The SQLAlchemy session of each connection that was used in the event loop.
_sessions: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
#: When a transaction was lost for good, in seconds of `time.monotonic()`.
_last_lost = 0.0


def _connect(dialect: Any, _record: object, arguments: list[Any], parameters: dict[str, Any]) -> Any:
    """Open a connection; wait for a server that has just gone away."""
    if dialect.name == "sqlite":
        return None
    repeat_lost_transactions(dialect)
    parameters |= {key: value for key, value in _LIMITS.get(dialect.driver, {}).items() if key not in parameters}
    server = (dialect.name, *(str(parameters.get(key)) for key in _ADDRESS))
    while True:
        try:
            connection = dialect.connect(*arguments, **parameters)
        except dialect.loaded_dbapi.OperationalError as problem:
            now = time.monotonic()
            if server not in _away_since:
                _log.error("the database server does not accept connections: %s", type(problem).__name__)
            since = _away_since.setdefault(server, now)
            if now - since + _TRY_AGAIN_S >= RESTART_S:
                raise
            time.sleep(_TRY_AGAIN_S)
        else:
            if (away := _away_since.pop(server, None)) is not None:
                _log.warning("the database server is back after %.1f s", time.monotonic() - away)
            return connection


def _on_begin(session: Any, transaction: Any, connection: Any) -> None:
    """End this transaction when the running code has returned to the event loop, unless it changed something."""
    if transaction.nested:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    _sessions[connection] = session
    if connection.dialect.name == "sqlite":
        return
    session.info["daas_changed"] = False
    loop.call_soon(_end_unchanged, session, transaction)


def _on_error(context: Any) -> None:
    """Roll back what was lost when the running code has returned to the event loop, so that the next can begin.

    JupyterHub does that only when a request has failed, and not all code is of one.
    """
    global _last_lost  # noqa: PLW0603
    if not context.is_disconnect and context.connection is not None:
        return
    _last_lost = time.monotonic()
    session = _sessions.get(context.connection) if context.connection is not None else None
    if session is not None:
        asyncio.get_running_loop().call_soon(_roll_back, session, session.get_transaction())


def was_lost_since(moment: float) -> bool:
    """Return whether a transaction was lost, or could not begin, since a moment of `time.monotonic()`."""
    return _last_lost >= moment


def is_database_away(error: Exception) -> bool:
    """Return whether the connection to the database was lost, or could not be made: an error without a statement.

    Or lost by code that ran in between, whose transaction has to be rolled back.
    """
    from sqlalchemy.exc import DBAPIError, PendingRollbackError

    if isinstance(error, DBAPIError):
        return error.connection_invalidated or error.statement is None
    return isinstance(error, PendingRollbackError)


def _roll_back(session: Any, transaction: Any) -> None:
    if transaction is not None and session.get_transaction() is transaction:
        session.rollback()


def _on_change(session: Any, _context: object) -> None:
    session.info["daas_changed"] = True


def _on_execute(state: Any) -> None:
    if not state.is_select:
        state.session.info["daas_changed"] = True


def _end_unchanged(session: Any, transaction: Any) -> None:
    """End a transaction that has only read, so that its connection goes back to the pool."""
    if session.get_transaction() is not transaction or session.info.get("daas_changed"):
        return
    if session.new or session.dirty or session.deleted:
        return
    try:
        session.commit()
    except Exception:
        # the connection was lost meanwhile; nothing else is
        session.rollback()
