"""Creates our tables, and upgrades those of an earlier release, while the hub starts.

Each migration is repeatable: a hub that is killed in the middle of one finishes it at its next start, also on SQLite
and MariaDB, which cannot undo a change of a table (see `steps`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from daas_hub.errors import ConfigurationError

MIGRATIONS = Path(__file__).with_name("migrations")
#: Where the revision of our tables is; JupyterHub's own is in `alembic_version`.
VERSION_TABLE = "daas_alembic_version"


def upgrade_tables(engine: Any) -> None:
    """Bring our tables to the revision of this release; do nothing if they have it.

    Raises:
        ConfigurationError: a later release has upgraded them.
    """
    config = Config()
    # a "%" would be taken for an interpolation
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        current = _revision(connection)
        if current == script.get_current_head():
            return
        if current is not None and current not in {one.revision for one in script.walk_revisions()}:
            raise ConfigurationError(
                "JupyterHub.db_url",
                "(not shown)",
                f"has tables of a later release of daas-hub (revision {current})",
                remedy="Install that release again, or restore the backup that was made before the upgrade.",
            )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: Any) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
