"""Upgrades of our tables that are interrupted before each statement, on any database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, event

from daas_hub.tables import Base, upgrade_tables


class Killed(Exception):
    """The hub's process ended here."""


def differences(engine: Any) -> list[Any]:
    """What the migrations did not create as the models are."""
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": "daas_alembic_version",
                "include_name": lambda name, kind, _: kind != "table" or str(name).startswith("daas_"),
            },
        )
        return list(compare_metadata(context, Base.metadata))


def finish_interrupted(new_database: Callable[[], str]) -> None:
    """Interrupt upgrades before their first, second, ... statement that changes something, and finish each.

    Args:
        new_database: returns the URL of an empty database.
    """
    finished = False
    for statements in range(100):
        engine = create_engine(new_database())
        left = statements

        def count(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            nonlocal left
            if statement.split(maxsplit=1)[0] in ("CREATE", "INSERT", "UPDATE", "ALTER"):
                left -= 1
                if left < 0:
                    raise Killed

        event.listen(engine, "before_cursor_execute", count)
        try:
            upgrade_tables(engine)
            finished = True
        except Killed:
            pass
        event.remove(engine, "before_cursor_execute", count)
        upgrade_tables(engine)
        assert differences(engine) == [], f"after {statements} statements"
        engine.dispose()
        if finished:
            break
    assert finished
    assert statements >= 9, "it was interrupted between the tables, too"
