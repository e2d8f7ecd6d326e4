"""Log each problem once: a bad record is read every minute, and is one line in the log."""

from __future__ import annotations

import logging

_log = logging.getLogger("jupyterhub.daas")

#: How many problems are remembered as logged; after that all are forgotten.
_MAX_PROBLEMS = 1000


class LogOnce:
    """Logs each problem of a source as an error once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._logged: set[str] = set()

    def error(self, problem: str) -> None:
        """Log a problem, unless it was logged before."""
        if len(self._logged) >= _MAX_PROBLEMS:
            self._logged.clear()
        if problem not in self._logged:
            self._logged.add(problem)
            _log.error("%s: %s", self._source, problem)
