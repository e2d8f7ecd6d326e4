"""Where the time of one launch goes: every step of the hub and of the browser, from the click to the first frame.

The hub's steps are functions that its configuration wraps (`budget_hub.py`), the browser's are its requests. Both are
on one clock, and counted from the click. Steps overlap.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request

from .browser import chromium, measure
from .machine import median, percentile, progress, section, table
from .portal import Portal
from .processes import nothing_left_behind
from .service import state_folder

HERE = Path(__file__).resolve().parent
#: What a request of the browser is for, by the end of its path.
REQUESTS = (
    (r"/hub/launch", "POST of the form"),
    (r"/hub/api/oauth2/authorize", "sign-in at the hub"),
    (r"/oauth_callback", "sign-in: back at the session"),
    (r"/early\.js", "early.js"),
    (r"/desktop\.js", "desktop.js"),
    (r"/desktop\.css", "desktop.css"),
    (r"/user/[^/]+/[^/]+/", "the session's address"),
)


class StampedPortal(Portal):
    """Our portal, with the hub's functions wrapped."""

    @property
    def stamps(self) -> Path:
        """The file that the hub writes its steps to."""
        return self.state / "stamps"

    def run(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """Start the hub with the wrapping configuration on top of the demo's."""
        *first, config = command
        more = {"BENCH_CONFIG": config, "BENCH_STAMPS": str(self.stamps)}
        super().run([*first, str(HERE / "budget_hub.py")], {**environment, **more}, folder)

    def steps_since(self, began: float) -> list[tuple[str, float, float]]:
        """Return the hub's steps that began after this moment: name, begin and end in seconds."""
        lines = map(json.loads, self.stamps.read_text().splitlines())
        return [(str(step), float(begin), float(end)) for step, begin, end in lines if begin >= began]


def requests_of(page: Page) -> list[tuple[str, float, float]]:
    """Keep the requests of a page from now on: what for, begin and end in seconds."""
    found: list[tuple[str, float, float]] = []

    def note(request: Request) -> None:
        path, timing = urlsplit(request.url).path, request.timing
        name = next((words for pattern, words in REQUESTS if re.search(f"{pattern}$", path)), "")
        if name and timing["responseEnd"] >= 0:
            begin = timing["startTime"] / 1000
            found.append((f"browser: {name}", begin, begin + timing["responseEnd"] / 1000))

    page.on("requestfinished", note)
    return found


def run(options: argparse.Namespace) -> tuple[list[float], dict[str, list[tuple[float, float]]]]:
    """Launch `runs` times; return the times to the frame, and of each step the begin and the duration, in ms."""
    frames: list[float] = []
    steps: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with ExitStack() as stack:
        stack.enter_context(nothing_left_behind())
        state = stack.enter_context(state_folder())
        browser = stack.enter_context(chromium())
        portal = stack.enter_context(StampedPortal(state / "ours", options.name))
        for number in range(options.runs + 1):
            seen: list[list[tuple[str, float, float]]] = []
            launch = measure(browser, portal, "", watch=lambda page, seen=seen: seen.append(requests_of(page)))
            progress(f"launch {number}: frame {launch.frame_s:.3f} s")
            if not number:
                continue
            frames.append(launch.frame_s * 1000)
            until = launch.clicked + launch.frame_s
            at = defaultdict(list)
            for step, begin, end in [*portal.steps_since(launch.clicked), *seen[0]]:
                if launch.clicked <= begin <= until:
                    at[step].append((begin, end))
            for step, times in at.items():
                # of several calls: when the first began, and what all of them took
                first = min(begin for begin, _ in times) - launch.clicked
                took = sum(end - begin for begin, end in times)
                steps[_counted(step, len(times))].append((first * 1000, took * 1000))
    return frames, steps


def _counted(step: str, calls: int) -> str:
    return step if calls == 1 else f"{step}, {calls} times"


def report(options: argparse.Namespace, frames: list[float], steps: dict[str, list[tuple[float, float]]]) -> None:
    """Print the table, in the order in which the steps begin."""
    rows = [
        [
            step,
            len(times),
            median(begin for begin, _ in times),
            min(took),
            median(took),
            percentile(took, 0.95),
        ]
        for step, times in steps.items()
        for took in [[duration for _, duration in times]]
    ]
    rows.sort(key=lambda row: float(row[2]))
    load = " ".join(f"{one:.0f}" for one in os.getloadavg())
    section(
        "One launch: where the time goes",
        "make bench-budget",
        f"{options.runs} launches of `{options.name}` after one uncounted; load averages {load}. First frame after the "
        f"click: min {min(frames):.0f} ms, p50 {median(frames):.0f} ms, p95 {percentile(frames, 0.95):.0f} ms. "
        "Steps overlap; the stamps themselves cost some milliseconds.",
        table(["step", "launches", "begins at ms", "takes min ms", "p50 ms", "p95 ms"], rows),
    )


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="counted launches")
    parser.add_argument("--name", default="pymca", help="the application's name in the demo's catalogue")
    options = parser.parse_args()
    os.environ.pop("DISPLAY", None)
    report(options, *run(options))


if __name__ == "__main__":
    main()
