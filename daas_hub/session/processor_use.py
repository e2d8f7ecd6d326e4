"""The processor use of everything in a session, as its own /proc shows it: in a sandbox, a container or a pod."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from daas_hub.session import clock


def processor_seconds(proc: Path = Path("/proc")) -> float:
    """Return the processor time of all processes, with that of children that have ended and were waited for."""
    # utime, stime, cutime and cstime
    ticks = sum(sum(int(one) for one in fields[11:15]) for _, fields in _processes(proc))
    return ticks / os.sysconf("SC_CLK_TCK")


def runnable(proc: Path = Path("/proc")) -> frozenset[int]:
    """Return the processes that run, or would if a processor were free; without this one, which looks."""
    return frozenset(pid for pid, fields in _processes(proc) if fields[0] == "R" and pid != os.getpid())


def _processes(proc: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each process with the fields of its `stat` from the third on, which is its state."""
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        # the name before may have spaces and parentheses
        yield int(entry.name), text.rpartition(")")[2].split()


class ProcessorUse:
    """When the session's processors were last in use.

    A process that could run at two looks in a row computes, too, however little an overloaded machine gives it.

    Args:
        busy_processors: processors in use, averaged over a window, from which they count as in use.
        window_s: seconds of a window.
        measure: returns the processor time that was used so far.
        waiting: returns the processes that run or could run.
    """

    def __init__(
        self,
        busy_processors: float,
        window_s: float,
        measure: Callable[[], float] = processor_seconds,
        now: Callable[[], float] = clock.now,
        waiting: Callable[[], frozenset[int]] = runnable,
    ) -> None:
        self._enough_s, self._window_s = busy_processors * window_s, window_s
        self._measure, self._now, self._waiting = measure, now, waiting
        self._began, self._used = now(), measure()
        self._were_waiting: frozenset[int] = frozenset()
        #: When they were last in use; the start counts.
        self.last = self._began

    def look(self) -> float:
        """Measure, and return when they were last in use."""
        now, used, waiting = self._now(), self._measure(), self._waiting()
        is_new_window = now - self._began >= self._window_s
        # a child that nobody waited for takes its time with it
        if used - self._used >= self._enough_s or (is_new_window and waiting & self._were_waiting):
            self.last = now
        elif not is_new_window:
            return self.last
        self._began, self._used, self._were_waiting = now, used, waiting
        return self.last
