"""How this process connects to the hub's database: SQLite with a write-ahead log, or a server that may be restarted."""

from __future__ import annotations

from daas_hub.database.server import bridge_restarts, is_database_away, was_lost_since
from daas_hub.database.sqlite import check_only_servers, use_write_ahead_log

__all__ = ("configure_connections", "is_database_away", "was_lost_since")


def configure_connections() -> None:
    """Configure all connections that SQLAlchemy opens in this process, the hub's own included."""
    use_write_ahead_log()
    check_only_servers()
    bridge_restarts()
