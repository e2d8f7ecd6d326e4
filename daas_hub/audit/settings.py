"""The settings of the audit."""

from __future__ import annotations

from pathlib import Path

from traitlets import Bool, Int, Unicode
from traitlets.config import Configurable


class Audit(Configurable):
    """The audit: a file with an event for each login, launch, end of a session, and action of an administrator."""

    enabled = Bool(
        True,
        config=True,
        help="""
        Whether events are written to a file. They contain names of accounts and ids of proposals, which are personal
        data: tell your users, and see `keep_days`. Default: True.
        """,
    )
    directory = Unicode(
        "",
        config=True,
        help="""
        Absolute path of the directory of the files, which only the hub's user can read. Example:
        "/var/log/daas-hub". Default: "audit" below `Facility.state`.
        """,
    )
    keep_days = Int(
        90,
        min=0,
        config=True,
        help="""
        Number of days to keep events: a new file begins at midnight UTC, and older ones are removed. 0 leaves both to
        logrotate; the hub then continues in a new file when the old one was moved. Default: 90.
        """,
    )
    addresses = Bool(
        False,
        config=True,
        help="""
        Whether events have the address of the browser, as far as proxies are trusted (see
        `JupyterHub.trusted_downstream_ips`). Default: False.
        """,
    )

    def folder(self) -> Path:
        """Return the directory of the files."""
        state = str(self.config.Facility.get("state", "") or "/var/lib/daas-hub")
        return Path(self.directory or f"{state}/audit")
