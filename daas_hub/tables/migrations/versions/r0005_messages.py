"""Messages to people that wait to be sent."""

from __future__ import annotations

import sqlalchemy as sa

from daas_hub.tables.steps import create_index, create_table

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    create_table(
        "daas_messages",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user", sa.String(255), nullable=False),
        sa.Column("about", sa.String(300), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("message_id", sa.String(255), nullable=False),
        sa.Column("posted", sa.Float, nullable=False),
        sa.Column("done", sa.Float),
    )
    create_index("daas_messages", ["user"])
