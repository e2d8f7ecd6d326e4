"""Notices of the operators, and who has read them."""

from __future__ import annotations

import sqlalchemy as sa

from daas_hub.tables.steps import create_table

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    create_table(
        "daas_notices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("begins", sa.Float, nullable=False),
        sa.Column("ends", sa.Float),
        sa.Column("stops_sessions_at", sa.Float),
        sa.Column("made_by", sa.String(255), nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
    )
    create_table(
        "daas_acknowledgements",
        sa.Column("notice_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("user", sa.String(255), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
