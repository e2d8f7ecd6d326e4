"""Our own tables in the hub's database, and their upgrades."""

from __future__ import annotations

from daas_hub.tables.model import Acknowledgement, Base, Login, Message, NoticeRow, Ticket, Usage, commit
from daas_hub.tables.upgrade import upgrade_tables

__all__ = ["Acknowledgement", "Base", "Login", "Message", "NoticeRow", "Ticket", "Usage", "commit", "upgrade_tables"]
