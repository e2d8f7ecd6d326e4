"""A transaction whose connection is lost is done again on a new one: whoever writes does not notice.

JupyterHub writes in many places, some of them in the middle of a start, and has one session for all of them: a rollback
for one loses the changes of others. So this is done below SQLAlchemy's session, in the dialect. It keeps what a
transaction has changed until its end. When a statement finds its connection lost, the changes are executed again on a
new connection, and then the statement. One hub has one database, so nobody else has changed anything in between.

- A row keeps its key: the session knows it already.
- Whether a commit arrived cannot be known from its error. It did if a row that was inserted is there; if none was, the
  changes have the same effect a second time.
- What is not known to be safe (text, savepoints, values that the server computes) is not repeated: the error is raised.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, and_, func, select

#: How often it is done again when that fails in the same way, and the seconds within which.
MAX_TIMES, MAX_S = 5, 8.0

#: "Server shutdown in progress": SQLAlchemy takes it for an error of the statement.
_MYSQL_SHUTDOWN = 1053
_INFO = "daas_transaction"

_log = logging.getLogger("jupyterhub.daas")


@dataclass(frozen=True)
class _Change:
    """A statement that changed something, as its driver got it, and SQLAlchemy's context of it."""

    statement: str
    parameters: Any
    is_many: bool
    context: Any

    @property
    def table(self) -> Any:
        """The table that it changed."""
        return self.context.compiled.statement.table

    @property
    def keys(self) -> list[dict[Any, Any]]:
        """The primary keys of the rows that it inserted, by column; none that only the server knows."""
        columns = tuple(self.table.primary_key)
        found = [dict(zip(columns, row, strict=True)) for row in self.context.inserted_primary_key_rows]
        return [key for key in found if None not in key.values()]

    @property
    def made(self) -> dict[str, Any]:
        """The columns of the key that the server made, and their values, of one row."""
        if self.is_many or not self.context.isinsert or not self.keys:
            return {}
        return {column.key: value for column, value in self.keys[0].items() if column.key not in self._values}

    @property
    def _values(self) -> dict[str, Any]:
        names, values = self.context.compiled.positiontup, self.parameters
        return dict(zip(names, values, strict=True)) if self.context.compiled.positional else values

    def again(self) -> tuple[str, Any]:
        """Return what to execute: for a row with a key that the server made, with this key."""
        if not (made := self.made):
            return self.statement, self.parameters
        values = {**self._values, **made}
        return _with(self.table.insert().compile(dialect=self.context.dialect, column_keys=[*values]), values)


@dataclass
class _Transaction:
    """What the transaction of a connection has changed, and whether all of it can be repeated."""

    changes: list[_Change] = field(default_factory=list)
    is_repeatable: bool = True

    @classmethod
    def of(cls, connection: Any) -> _Transaction:
        """Return that of a connection of the pool."""
        found: _Transaction = connection.record_info.setdefault(_INFO, cls())
        return found

    def end(self) -> None:
        """Begin the next one."""
        self.changes.clear()
        self.is_repeatable = True

    def proofs(self) -> tuple[list[_Change], bool]:
        """Return the rows that are there if, and only if, this was committed; and whether it inserted others only."""
        found = [change for change in self.changes if change.context.isinsert]
        emptied = {change.table for change in self.changes if change.context.isdelete}
        # a key of its own may have been there before
        proofs = [change for change in found if change.keys and (change.made or change.table not in emptied)]
        return proofs, bool(found) and not proofs

    def note(self, statement: str, parameters: Any, is_many: bool, context: Any) -> None:
        """Note a statement that was executed."""
        if not (context.isinsert or context.isupdate or context.isdelete):
            self.is_repeatable &= bool(getattr(getattr(context.compiled, "statement", None), "is_select", False))
            return
        # a statement for a default, within this one, is not of it
        self.is_repeatable &= statement == context.statement and _has_given_values(context.compiled.statement)
        self.changes.append(_Change(statement, parameters, is_many, context))


def repeat_lost_transactions(dialect: Any) -> None:
    """Repeat transactions whose connection is lost, of all connections with this dialect: those of one engine."""
    if not isinstance(getattr(dialect.do_commit, "__self__", None), _Repeating):
        _Repeating(dialect).install()


class _Repeating:
    """The methods of a dialect that use a connection, around its own."""

    def __init__(self, dialect: Any) -> None:
        self._dialect = dialect
        self._execute, self._execute_many = dialect.do_execute, dialect.do_executemany
        self._execute_plain = dialect.do_execute_no_params
        self._commit, self._rollback = dialect.do_commit, dialect.do_rollback

    def install(self) -> None:
        """Put them in place."""
        one = self._dialect
        one.do_execute, one.do_executemany = self.execute, self.execute_many
        one.do_execute_no_params = self.execute_plain
        one.do_commit, one.do_rollback = self.commit, self.rollback
        # each row has a statement, whose context knows its key
        one.use_insertmanyvalues = False

    def execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute a statement."""
        self._run(lambda on: self._execute(on, statement, parameters, context), cursor, statement, parameters, context)

    def execute_many(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute it for several rows."""
        self._run(
            lambda on: self._execute_many(on, statement, parameters, context),
            cursor,
            statement,
            parameters,
            context,
            is_many=True,
        )

    def execute_plain(self, cursor: Any, statement: str, context: Any = None) -> None:
        """Execute one without parameters."""
        self._run(lambda on: self._execute_plain(on, statement, context), cursor, statement, (), context)

    def _run(
        self,
        execute: Callable[[Any], None],
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        *,
        is_many: bool = False,
    ) -> None:
        connection = context.root_connection.connection if context is not None else None
        if connection is None or not _is_pooled(connection):
            execute(cursor)
            return
        transaction = _Transaction.of(connection)
        try:
            execute(cursor)
        except Exception as problem:
            if not transaction.is_repeatable or not self._is_lost(problem, connection):
                raise

            def again() -> None:
                self._change_again(transaction, connection)
                context.cursor = connection.cursor()
                execute(context.cursor)

            self._repeat(again, connection, problem)
        transaction.note(statement, parameters, is_many, context)

    def commit(self, connection: Any) -> None:
        """Commit."""
        transaction = _Transaction.of(connection)
        try:
            self._commit(connection)
        except Exception as problem:
            if not transaction.is_repeatable or not _is_pooled(connection) or not self._is_lost(problem, connection):
                raise
            proofs, is_unknown = transaction.proofs()
            if is_unknown:
                raise

            def again() -> None:
                if not any(self._is_stored(change, connection) for change in proofs):
                    self._change_again(transaction, connection)
                self._commit(connection)

            if transaction.changes:
                self._repeat(again, connection, problem)
            else:
                connection._connection_record.invalidate(problem)
        transaction.end()

    def rollback(self, connection: Any) -> None:
        """Roll back: what is lost with its connection is rolled back."""
        _Transaction.of(connection).end()
        try:
            self._rollback(connection)
        except Exception as problem:
            if not self._is_lost(problem, connection):
                raise
            if _is_pooled(connection):
                connection._connection_record.invalidate(problem)

    def _is_lost(self, problem: Exception, connection: Any) -> bool:
        if not isinstance(problem, self._dialect.loaded_dbapi.Error):
            return False
        if self._dialect.name in ("mysql", "mariadb") and _MYSQL_SHUTDOWN in problem.args[:1]:
            return True
        return bool(self._dialect.is_disconnect(problem, connection.dbapi_connection, None))

    def _repeat(self, again: Callable[[], None], connection: Any, lost: Exception) -> None:
        """Do it again on a new connection, which waits for the server; raise the error if it cannot connect."""
        record = connection._connection_record
        until = time.monotonic() + MAX_S
        for left in reversed(range(MAX_TIMES)):
            record.invalidate(lost)
            try:
                connection.dbapi_connection = record.get_connection()
            except self._dialect.loaded_dbapi.Error:
                raise lost from None
            try:
                again()
            except self._dialect.loaded_dbapi.Error as problem:
                if not left or time.monotonic() >= until or not self._is_lost(problem, connection):
                    raise
                lost = problem
            else:
                _log.warning("a transaction was repeated: its connection to the database was lost")
                return

    def _change_again(self, transaction: _Transaction, connection: Any) -> None:
        for change in transaction.changes:
            statement, parameters = change.again()
            cursor = connection.cursor()
            (cursor.executemany if change.is_many else cursor.execute)(statement, parameters)
            cursor.close()
            if change.context.isinsert and self._dialect.name == "postgresql":
                for key in change.keys:
                    self._move_sequences(key, connection)

    def _move_sequences(self, key: dict[Any, Any], connection: Any) -> None:
        """Let PostgreSQL make keys after this one: a server that was killed may have forgotten that it made it."""
        for column, value in key.items():
            if column is column.table.autoincrement_column:
                table = self._dialect.identifier_preparer.format_table(column.table)
                sequence = func.pg_get_serial_sequence(table, column.name)
                self._ask(select(func.setval(sequence, func.greatest(value, func.nextval(sequence)))), connection)

    def _is_stored(self, change: _Change, connection: Any) -> bool:
        """Return whether a row that it inserted is there."""
        wanted = [and_(*(column == value for column, value in key.items())) for key in change.keys[:1]]
        return bool(wanted) and self._ask(select(func.count()).where(*wanted), connection) > 0

    def _ask(self, question: Any, connection: Any) -> Any:
        cursor = connection.cursor()
        compiled = question.compile(dialect=self._dialect)
        cursor.execute(*_with(compiled, compiled.params))
        (answer,) = cursor.fetchone()
        cursor.close()
        return answer


def _is_pooled(connection: Any) -> bool:
    """Return whether it has a place in a pool: one that is just being made has not."""
    record = getattr(connection, "_connection_record", None)
    return record is not None and record.in_use


def _has_given_values(statement: Any) -> bool:
    """Return whether all values are parameters: an expression has another value when it is executed again."""
    if getattr(statement, "select", None) is not None or getattr(statement, "_multi_values", None):
        return False
    values = getattr(statement, "_values", None) or {}
    return all(isinstance(value, BindParameter) for value in values.values())


def _with(compiled: Any, values: dict[str, Any]) -> tuple[str, Any]:
    """Return a statement and its parameters as the driver takes them."""
    return str(compiled), tuple(values[name] for name in compiled.positiontup) if compiled.positional else values
