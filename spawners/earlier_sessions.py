"""Sockets of sessions that release 0.1.0 started and that still run after an upgrade.

These sessions share one socket of the hub's API, `api/api.sock` below `runtime_dir`, and the folder of their egress
sockets has another name. Both folders are mounted, so the hub serves them there until the last session has ended.
"""

from __future__ import annotations

import re
from pathlib import Path

from tornado.web import Application

from daas_hub.spawners.hub_api_limits import BURST, MAX_DEBT, REQUESTS_PER_S, TokenBucket
from daas_hub.spawners.hub_api_socket import SOCKET, HubAPISocket


def earlier_sockets_dir(session_dir: Path) -> Path | None:
    """Return the folder of egress sockets of a session that release 0.1.0 started; None for any other session."""
    folder = session_dir / "door"
    return folder if folder.is_dir() else None


class _SharedSocket(HubAPISocket):
    """The socket they share. Its limits are those of one session, times the number of sessions."""

    sessions = 0

    def count(self, change: int) -> None:
        """Count a session more or less, and adapt the limits."""
        self.sessions += change
        self._budget = TokenBucket(BURST * self.sessions, REQUESTS_PER_S * self.sessions, max_debt=MAX_DEBT)


#: The open ones, by their folder.
_shared: dict[Path, _SharedSocket] = {}


class ShareOfSocket:
    """One session's share of the socket, which is closed with the last share."""

    def __init__(self, runtime_dir: Path, application: Application, routes: re.Pattern[str]) -> None:
        """Open the socket, unless another session's share has.

        Args:
            application: the hub's tornado application.
            routes: what matches "METHOD /path" of a route that may be used, for sessions of any owner.
        """
        self._folder = runtime_dir / "api"
        if self._folder not in _shared:
            _shared[self._folder] = _SharedSocket(self._folder, application, routes, "sessions of release 0.1.0")
        _shared[self._folder].count(+1)

    def close(self) -> None:
        """End this share."""
        shared = _shared[self._folder]
        if shared.sessions > 1:
            shared.count(-1)
        else:
            _shared.pop(self._folder).close()
            (self._folder / SOCKET).unlink(missing_ok=True)
