"""Copy bytes between two streams in both directions, with back-pressure.

The hub's side and the session's side of egress use it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable

CHUNK = 65536


async def relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    upstream: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
) -> None:
    """Open the upstream connection and copy in both directions until both have ended; close both.

    Raises:
        OSError: the upstream connection cannot be opened. A connection that breaks later raises nothing.
    """
    try:
        upstream_reader, upstream_writer = await upstream
    except BaseException:
        writer.close()
        raise
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(reader, upstream_writer))
            both.create_task(_copy(upstream_reader, writer))
    except* OSError:
        pass
    finally:
        writer.close()
        upstream_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(CHUNK):
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
