"""Guards `poll`: JupyterHub takes an exception for the end of a session, forgets it, and leaves it running."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any

#: Seconds until the same problem of a session is logged again.
LOG_AGAIN_S = 600.0

_Poll = Callable[[Any], Awaitable[int | None]]


def never_raises(poll: _Poll) -> _Poll:
    """Return a backend's `poll` for which any exception means that the state is unknown: None, as for one that runs."""
    if hasattr(poll, "_daas_guarded"):
        return poll

    @functools.wraps(poll)
    async def guarded(spawner: Any) -> int | None:
        try:
            status = await poll(spawner)
        except Exception as problem:
            _log_unknown(spawner, problem)
            return None
        vars(spawner).pop("_unknown_since", None)
        return status

    guarded._daas_guarded = True  # type: ignore[attr-defined]
    return guarded


def _log_unknown(spawner: Any, problem: Exception) -> None:
    """Log why the state is unknown: once, and again after a while."""
    text, now = f"{type(problem).__name__}: {problem}", time.monotonic()
    logged, when = vars(spawner).get("_unknown_since", ("", 0.0))
    if text != logged or now - when >= LOG_AGAIN_S:
        vars(spawner)["_unknown_since"] = (text, now)
        spawner.log.error("%s: its state is unknown: %s", spawner._log_name, text, exc_info=problem)
