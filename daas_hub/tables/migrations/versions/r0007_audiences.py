"""Notices for some people only, and their messages."""

from __future__ import annotations

import sqlalchemy as sa

from daas_hub.tables.steps import add_column

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; the notices that are there are for everybody."""
    for table in ("daas_notices", "daas_messages"):
        add_column(table, sa.Column("audience", sa.JSON(none_as_null=True)))
