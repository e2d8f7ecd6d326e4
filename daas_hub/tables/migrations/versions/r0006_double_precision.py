"""Numbers with 53 bits in MariaDB and MySQL, too: times were rounded to two minutes there."""

from __future__ import annotations

from daas_hub.tables.steps import widen_numbers

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Change the columns; what was rounded stays so."""
    for table in (
        "daas_logins",
        "daas_tickets",
        "daas_usage",
        "daas_notices",
        "daas_acknowledgements",
        "daas_messages",
    ):
        widen_numbers(table)
