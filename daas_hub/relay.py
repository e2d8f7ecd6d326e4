"""Connects two byte streams until both have ended; nothing is read faster than it is taken.

Both ends of a session's ways out use it: the hub's, and the one inside.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable

CHUNK = 65536


async def relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
) -> None:
    """Connect a stream with the far one, which is opened now; both are closed at the end.

    Raises:
        OSError: the far one cannot be opened (an end in the middle is none).
    """
    try:
        far_reader, far_writer = await far
    except BaseException:
        writer.close()
        raise
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_pass_on(reader, far_writer))
            both.create_task(_pass_on(far_reader, writer))
    except* OSError:
        pass
    finally:
        writer.close()
        far_writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(CHUNK):
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
