"""Wait until a session responds, and stop waiting when it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from jupyterhub.utils import wait_for_http_server

from daas_hub.errors import SessionFailed


async def require_answer(url: str, over: asyncio.Future[str], timeout_s: float) -> None:
    """Wait until the session responds at this URL.

    Args:
        over: done when the session has ended, with the sentence of why, or "".

    Raises:
        SessionFailed: it has ended.
    """
    answering = asyncio.ensure_future(wait_for_http_server(url, timeout=timeout_s))
    try:
        await asyncio.wait({answering, over}, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            # the session's own sentence includes the remedy
            raise SessionFailed(
                over.result()
                or "The session ended before it was ready. Please tell the administrators; the hub's log says more."
            )
        await answering
    finally:
        answering.cancel()


async def unless_over(step: Coroutine[Any, Any, None], over: asyncio.Future[str]) -> None:
    """Wait for a step of a start, but not longer than the session lives; see `require_answer` for `over`."""
    waiting = asyncio.ensure_future(step)
    try:
        await asyncio.wait((waiting, over), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
    finally:
        waiting.cancel()
