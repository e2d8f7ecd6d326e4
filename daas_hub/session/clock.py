"""The clock of a session's life: nobody sets it, and time in suspend counts."""

from __future__ import annotations

import time


def now() -> float:
    """Return seconds since the machine was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
