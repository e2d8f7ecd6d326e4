"""How fast the hub takes what a session's tunnel sends. A far end belongs to its session, so it may be hostile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: Bytes passed on between two looks at the clock: few once they turned out to be expensive.
MAX_BYTES = 64 * 1024
MIN_BYTES = 2 * 1024
#: Messages between two looks, however small they are, and the least that one costs the hub, in seconds.
MAX_MESSAGES = 256
MESSAGE_S = 50e-6
#: Processor time of one step, in seconds, above which the stream is made to wait, and for how many times that long.
BUSY_S = 0.002
REST = 5.0


class Pace:
    """Limits the share of the hub's processor time that one stream takes, without a limit of its bytes.

    Small packets cost a hundred times as much as a desktop's picture of the same size: time is what is counted.

    Attributes:
        size: bytes to pass on before `passed` looks at the clock again.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self.size = MAX_BYTES
        self._clock = clock
        self._bytes = self._messages = 0

    async def passed(self, count: int) -> None:
        """Note that bytes were passed on to the other end, which runs in this loop; wait if it is kept too busy."""
        self._bytes += count
        self._messages += 1
        if self._bytes < self.size and self._messages < MAX_MESSAGES:
            return
        began = self._clock()
        # its reader is called between the two
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        pause_s = self.pause_after(max(self._clock() - began, self._messages * MESSAGE_S))
        self._bytes = self._messages = 0
        if pause_s:
            await asyncio.sleep(pause_s)

    def pause_after(self, busy_s: float) -> float:
        """Return the seconds to wait after a step that took this long, and choose the size of the next one."""
        if busy_s <= BUSY_S:
            self.size = min(MAX_BYTES, self.size * 2)
            return 0.0
        self.size = max(MIN_BYTES, self.size // 4)
        return busy_s * REST
