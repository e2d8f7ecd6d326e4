"""Tells the administrators of each problem once: a bad record is asked for every minute, and is one line in the log."""

from __future__ import annotations

import logging

_log = logging.getLogger("jupyterhub.daas")

#: Problems that are remembered as told; then telling begins anew.
_MOST = 1000


class LogOnce:
    """What was told already."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._told: set[str] = set()

    def tell(self, problem: str) -> None:
        """Log it as an error, unless it was logged before."""
        if len(self._told) >= _MOST:
            self._told.clear()
        if problem not in self._told:
            self._told.add(problem)
            _log.error("%s: %s", self._source, problem)
