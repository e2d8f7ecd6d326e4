"""Steps of migrations that can be repeated: what an interrupted upgrade has done already is left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import inspect
from sqlalchemy.dialects import mysql


def create_table(name: str, *columns: Any) -> None:
    """Create a table, unless it is there."""
    if not inspect(op.get_bind()).has_table(name):
        op.create_table(name, *columns)


def add_column(table: str, column: Any) -> None:
    """Add a column, unless it is there."""
    if column.name not in {one["name"] for one in inspect(op.get_bind()).get_columns(table)}:
        op.add_column(table, column)


def widen_numbers(table: str) -> None:
    """Let each number have 53 bits, where FLOAT has 24 (MariaDB, MySQL)."""
    for one in inspect(op.get_bind()).get_columns(table):
        if isinstance(one["type"], mysql.FLOAT):
            op.alter_column(table, one["name"], type_=sa.Double(), existing_nullable=one["nullable"])


def create_index(table: str, columns: Sequence[str]) -> None:
    """Create an index with SQLAlchemy's usual name, unless it is there."""
    name = f"ix_{table}_{'_'.join(columns)}"
    if name not in {one["name"] for one in inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, list(columns))
