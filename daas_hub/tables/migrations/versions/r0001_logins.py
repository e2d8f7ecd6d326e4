"""The table of logins; release 0.1.0 created it without a revision."""

from __future__ import annotations

import sqlalchemy as sa

from daas_hub.tables.steps import create_index, create_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table."""
    create_table(
        "daas_logins",
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    create_index("daas_logins", ["user_id"])
    create_index("daas_logins", ["expires_at"])
