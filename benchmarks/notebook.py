"""Click to JupyterLab's page: ours and the stock hub, in turn in one run.

The stock hub asks its server in growing random intervals whether it answers, so its shortest launch is compared.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import ExitStack

from .browser import Launch, chromium, measure_page
from .launch import BEFORE, LABELS, rounds
from .machine import goal_max, median, percentile, section, table
from .peer import Peer
from .portal import Portal, add_before
from .service import state_folder

WANTED_OF_PEER = 0.4
PAGE = "/lab"


def run(options: argparse.Namespace) -> dict[str, list[Launch]]:
    """Launch on every system, once a round."""
    with ExitStack() as stack:
        state = stack.enter_context(state_folder())
        browser = stack.enter_context(chromium())
        systems: dict[str, Callable[[], Launch]] = {}
        portal = stack.enter_context(Portal(state / "ours", "jupyterlab"))
        systems["ours"] = lambda: measure_page(browser, portal, PAGE)
        if options.before:
            older = stack.enter_context(Portal(state / BEFORE, "jupyterlab", checkout=options.before))
            systems[BEFORE] = lambda: measure_page(browser, older, PAGE)
        if not options.no_peer:
            peer = stack.enter_context(Peer(state / "peer", "true", PAGE))
            systems["peer"] = lambda: measure_page(browser, peer, PAGE)
        return rounds(systems, options.runs)


def report(options: argparse.Namespace, results: dict[str, list[Launch]]) -> None:
    """Print the section."""
    times = {name: [launch.frame_s for launch in launches] for name, launches in results.items()}
    lines = []
    if "peer" in times:
        ratio = median(times["ours"]) / min(times["peer"])
        lines.append(goal_max("page p50, ours to the stock hub's minimum", ratio, WANTED_OF_PEER))
    if BEFORE in times:
        lines.append(f"- page p50, ours to before: {median(times['ours']) / median(times[BEFORE]):.2f}.")
    section(
        "Notebook: click to JupyterLab's page",
        "make bench-notebook",
        f"{options.runs} launches each, in turn, after one uncounted; until JupyterLab's page begins in a headless "
        "Chromium with a cold context for every launch.",
        table(
            ["system", "page min s", "page p50 s", "page p95 s"],
            [[LABELS[name], min(values), median(values), percentile(values, 0.95)] for name, values in times.items()],
        ),
        "\n".join(lines),
    )


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="counted launches of each system")
    parser.add_argument("--no-peer", action="store_true", help="leave the stock hub out")
    add_before(parser)
    options = parser.parse_args()
    os.environ.pop("DISPLAY", None)
    report(options, run(options))


if __name__ == "__main__":
    main()
