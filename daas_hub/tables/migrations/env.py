"""Run by Alembic: upgrades the tables on the connection that `upgrade_tables` gives it."""

from __future__ import annotations

from alembic import context

from daas_hub.tables.model import Base
from daas_hub.tables.upgrade import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
