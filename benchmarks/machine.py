"""How a benchmark reports: where it ran, a table in Markdown, and each goal with what was measured."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path


def machine_line() -> str:
    """Processor, cores, memory, kernel and date of this run, on one line."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{cpu}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, Linux {platform.release()}, {date}."


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of ``values`` lies, between neighbours in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(values: Iterable[float]) -> list[float]:
    """The minimum, the median and the 95th percentile, the three columns of `spread_head`; nan of nothing."""
    listed = list(values)
    if not listed:
        return [float("nan")] * 3
    return [min(listed), percentile(listed, 0.5), percentile(listed, 0.95)]


def spread_head(figure: str) -> list[str]:
    """The heads of the columns of `spread`; the figure, with its unit, is in the first."""
    return [f"{figure}, min", "p50", "p95"]


def median(values: Iterable[float]) -> float:
    """The median; nan of nothing."""
    listed = list(values)
    return statistics.median(listed) if listed else float("nan")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are rounded to what two repeats could agree on."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if value != value:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def goal_max(what: str, measured: float, wanted: float) -> str:
    """One verdict line for a figure that should not be larger."""
    return _verdict(what, measured, f"at most {wanted:g}", measured <= wanted)


def goal_min(what: str, measured: float, wanted: float) -> str:
    """One verdict line for a figure that should not be smaller."""
    return _verdict(what, measured, f"at least {wanted:g}", measured >= wanted)


def _verdict(what: str, measured: float, wanted: str, is_met: bool) -> str:
    return f"- {'met' if is_met else '**not met**'}: {what}: wanted {wanted}, measured {measured:.3g}."


def section(title: str, command: str, *parts: str) -> None:
    """Print one section of the report: heading, command, machine, then ``parts``."""
    print("\n\n".join([f"## {title}", f"`{command}`", machine_line(), *parts]), end="\n\n", flush=True)


def progress(text: str) -> None:
    """Print progress for whoever waits; never part of the report."""
    print(text, file=sys.stderr, flush=True)
