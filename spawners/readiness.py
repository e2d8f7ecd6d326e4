"""Waits until a session answers, or has ended instead: then nobody waits for an answer any more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from jupyterhub.utils import wait_for_http_server

from daas_hub.errors import SessionFailed


async def require_answer(url: str, over: asyncio.Future[str], timeout_s: float) -> None:
    """Wait for an answer.

    Args:
        over: done when the session ended, with the sentence in which it says why, or "".

    Raises:
        SessionFailed: it ended.
    """
    answering = asyncio.ensure_future(wait_for_http_server(url, timeout=timeout_s))
    try:
        await asyncio.wait({answering, over}, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            # its own sentence says what to do, too
            raise SessionFailed(
                over.result()
                or "The session ended before it was ready. Please tell the administrators; the hub's log says more."
            )
        await answering
    finally:
        answering.cancel()


async def unless_over(step: Coroutine[Any, Any, None], over: asyncio.Future[str]) -> None:
    """Wait for a step of an arrival, but not longer than the session lives; see `require_answer` for `over`."""
    arriving = asyncio.ensure_future(step)
    try:
        await asyncio.wait((arriving, over), return_when=asyncio.FIRST_COMPLETED)
        if arriving.done():
            arriving.result()
    finally:
        arriving.cancel()
