"""Tickets of the queue, and the usage of sessions."""

from __future__ import annotations

import sqlalchemy as sa

from daas_hub.tables.steps import create_index, create_table

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    create_table(
        "daas_tickets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user", sa.String(255), nullable=False),
        sa.Column("session", sa.String(255), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("needs", sa.JSON, nullable=False),
        sa.Column("arrived", sa.Float, nullable=False),
        sa.Column("called", sa.Float),
        sa.Column("not_before", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
    )
    create_index("daas_tickets", ["user"])
    create_table(
        "daas_usage",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user", sa.String(255), nullable=False),
        sa.Column("session", sa.String(255), nullable=False),
        sa.Column("proposals", sa.Text, nullable=False),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("application", sa.String(64), nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("size", sa.String(64), nullable=False),
        sa.Column("cpus", sa.Float, nullable=False),
        sa.Column("memory_bytes", sa.Float, nullable=False),
        sa.Column("gpus", sa.Integer, nullable=False),
        sa.Column("hours", sa.Float, nullable=False),
        sa.Column("admitted", sa.Float, nullable=False),
        sa.Column("started", sa.Float),
        sa.Column("ended", sa.Float),
    )
    create_index("daas_usage", ["user"])
    create_index("daas_usage", ["ended"])
