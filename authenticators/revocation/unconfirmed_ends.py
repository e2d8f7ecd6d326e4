"""Sessions whose right ended and whose end is not confirmed: they may still run, and are counted until it is."""

from __future__ import annotations

import asyncio
from typing import Any

from daas_hub.metrics.revocation import publish_unconfirmed


class _End:
    """One end that was ordered.

    Args:
        spawner: of the session; JupyterHub forgets it when a stop fails.
        stopping: the hub's stop, done or not.
    """

    def __init__(self, spawner: Any, stopping: asyncio.Future[Any]) -> None:
        self._spawner = spawner
        self._is_open = True
        if stopping.done():
            self._note_outcome(stopping)
        else:
            stopping.add_done_callback(self._note_outcome)

    def _note_outcome(self, stopping: asyncio.Future[Any]) -> None:
        has_failed = stopping.cancelled() or stopping.exception() is not None
        # without a record nobody tries again, and nothing confirms it for as long as this hub runs
        self._is_open = has_failed and not self._is_recorded

    @property
    def _is_recorded(self) -> bool:
        """Whether the spawner has a record of the stop, which goes when the backend confirms the end."""
        return bool(getattr(self._spawner, "stop_wanted", False))

    @property
    def may_run(self) -> bool:
        """Whether the session may still run at this moment."""
        return self._is_open or self._is_recorded


class UnconfirmedEnds:
    """The ends of one hub that are not confirmed."""

    def __init__(self) -> None:
        self._ends: dict[str, _End] = {}

    def add(self, name: str, spawner: Any, stopping: asyncio.Future[Any]) -> None:
        """Count a session, named "user:session", until its end is confirmed."""
        self._ends[name] = _End(spawner, stopping)

    def names(self) -> list[str]:
        """Return the sessions that may still run at this moment, and forget the others."""
        self._ends = {name: one for name, one in self._ends.items() if one.may_run}
        return list(self._ends)


#: Of this process, which is one hub.
UNCONFIRMED_ENDS = UnconfirmedEnds()
publish_unconfirmed("rights", UNCONFIRMED_ENDS.names)
