"""Notices that the pages of running sessions show."""

from __future__ import annotations

import sqlalchemy as sa

from daas_hub.tables.steps import add_column

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; the notices that are there are for the portal's pages only."""
    add_column("daas_notices", sa.Column("in_sessions", sa.Boolean, nullable=False, server_default=sa.false()))
