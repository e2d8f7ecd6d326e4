"""A start during which the hub ended: before its backend was asked for anything, nothing but the database has it."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

START_INTERRUPTED = "The portal was restarted while this session was starting. Please launch again."

_Poll = Callable[[Any], Awaitable[int | None]]


def notes_interruption(poll: _Poll) -> _Poll:
    """Return a `poll` that also lets the card of a session that never ran say why, when the hub starts.

    A start that reached its backend has a record (`recorded`).
    """

    @functools.wraps(poll)
    async def noting(spawner: Any) -> int | None:
        status = await poll(spawner)
        row = spawner.orm_spawner
        # the database has a state of every start that was completed
        if status is not None and spawner._check_pending and row is not None and not row.state:
            spawner.failure = START_INTERRUPTED
        return status

    return noting
