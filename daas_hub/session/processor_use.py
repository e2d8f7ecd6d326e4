"""The processor use of everything in a session, as its own /proc shows it: in a sandbox, a container or a pod."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from daas_hub.session import clock


def processor_seconds(proc: Path = Path("/proc")) -> float:
    """Return the processor time of all processes, with that of children that have ended and were waited for."""
    ticks = 0
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        # the name before may have spaces and parentheses; utime, stime, cutime, cstime are the 14th to 17th field
        ticks += sum(int(one) for one in text.rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


class ProcessorUse:
    """When the session's processors were last in use.

    Args:
        busy_processors: processors in use, averaged over a window, from which they count as in use.
        window_s: seconds of a window.
    """

    def __init__(
        self,
        busy_processors: float,
        window_s: float,
        measure: Callable[[], float] = processor_seconds,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self._enough_s, self._window_s = busy_processors * window_s, window_s
        self._measure, self._now = measure, now
        self._began, self._used = now(), measure()
        #: When they were last in use; the start counts.
        self.last = self._began

    def look(self) -> float:
        """Measure, and return when they were last in use."""
        now, used = self._now(), self._measure()
        # a child that nobody waited for takes its time with it
        if used - self._used >= self._enough_s:
            self.last = now
        elif now - self._began < self._window_s:
            return self.last
        self._began, self._used = now, used
        return self.last
