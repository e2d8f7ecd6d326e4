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
        SessionFailed: it has ended, or has not responded within `timeout_s`.
    """
    answering = asyncio.ensure_future(wait_for_http_server(url, timeout=timeout_s))
    try:
        # JupyterHub's client waits up to five minutes for the response to one request
        await asyncio.wait({answering, over}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            # the session's own sentence includes the remedy
            raise SessionFailed(
                over.result()
                or "The session ended before it was ready. Please tell the administrators; the hub's log says more."
            )
        if not answering.done():
            raise no_answer(timeout_s)
        try:
            await answering
        except TimeoutError as problem:
            raise no_answer(timeout_s) from problem
    finally:
        answering.cancel()


def no_answer(timeout_s: float) -> SessionFailed:
    """Return the failure of a session that did not respond in time."""
    return SessionFailed(
        f"The session did not respond within {timeout_s:g} seconds.",
        remedy="Please launch again; if the problem persists, contact the administrators.",
    )


async def unless_over(step: Coroutine[Any, Any, None], over: asyncio.Future[str]) -> None:
    """Wait for a step of a start, but not longer than the session lives; see `require_answer` for `over`."""
    waiting = asyncio.ensure_future(step)
    try:
        await asyncio.wait((waiting, over), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
    finally:
        waiting.cancel()
