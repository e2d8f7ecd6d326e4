"""Waiting for what must come, without a fixed pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
#: Seconds between two looks: at real programs, and at what runs in the event loop of the test.
_PAUSE_S, _LOOP_PAUSE_S = 0.1, 0.01


def wait_for(look: Callable[[], Found | None], what: str | Callable[[], object] = "", timeout_s: float = 30.0) -> Found:
    """Return the first true result of a function; fail after `timeout_s`.

    Args:
        what: what is waited for, or what the failure shows: the end of a log, for instance.
    """
    until = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < until, f"not within {timeout_s:g} s: {what() if callable(what) else what}"
        time.sleep(_PAUSE_S)
    return found


def within(seconds: float, look: Callable[[], Found | None]) -> Found:
    """Return the first true result of a function; fail after `seconds`."""
    return wait_for(look, timeout_s=seconds)


async def until(is_so: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait in the event loop until this is so; fail after `timeout_s`.

    Raises:
        TimeoutError: it is not.
    """
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(_LOOP_PAUSE_S)
