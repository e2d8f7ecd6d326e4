"""What a start, a session and a page cost the hub itself, beside stock hubs with the same backend: none.

    python -m benchmarks.starts

Three hubs run all the time and start their sessions in turn: ours, a stock one as shipped, and a stock one with our
database settings. Half way, with half of the sessions on each hub, home pages are opened at a fixed rate.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import requests

from .cluster_hubs import Hub
from .idle_backends import SAME_DATABASE, StockHubOfMany, our_hub, stock_hub
from .machine import goal_max, goal_min, median, percentile, progress, section, table
from .processes import cpu_seconds, nothing_left_behind, pss_mib
from .queueing import sessions

PEOPLE, TURNS, TOGETHER = 1000, 10, 20
READERS, PAGES_A_SECOND, PAGES_S = 100, 50, 15.0
OURS, STOCK, SAME = "ours", "stock", "stock, our database settings"
WANTED_RATE, WANTED_SAME_DATABASE, WANTED_MIB, WANTED_PAGE_MS = 1.5, 0.95, 60.0, 150.0


@dataclass
class Turn:
    """Some starts of one hub.

    Attributes:
        seconds: from the first request to the last answer.
        took: seconds of each start.
        hub_ms: processor time of the hub for a start.
    """

    seconds: float
    took: list[float]
    hub_ms: float

    @property
    def rate(self) -> float:
        """Starts a second."""
        return len(self.took) / self.seconds


@dataclass
class Figures:
    """What was measured of one hub.

    Attributes:
        mib: memory (PSS) before the first session and with all of them.
        pages: milliseconds of the home page at the fixed rate.
        floor: the same of a page that the hub only has to answer (`/hub/health`).
    """

    turns: list[Turn] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    pages_cpu: float = 0.0


def take_turn(hub: Hub, people: range, together: int) -> Turn:
    """Start the sessions of these people, some of them at a time."""

    def start(number: int) -> float:
        began = time.perf_counter()
        hub.start(number)
        return time.perf_counter() - began

    used, began = cpu_seconds(hub.pid), time.perf_counter()
    with ThreadPoolExecutor(together) as pool:
        took = list(pool.map(start, people))
    seconds = time.perf_counter() - began
    return Turn(seconds, took, (cpu_seconds(hub.pid) - used) * 1000 / len(people))


def at_a_rate(open_page: Callable[[int], object], seconds: float) -> list[float]:
    """Open pages at the fixed rate, however long the earlier ones take; the milliseconds of each."""
    begin = time.perf_counter() + 0.5

    def timed(number: int) -> float:
        due = begin + number / PAGES_A_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        open_page(number)
        return (time.perf_counter() - due) * 1000

    with ThreadPoolExecutor(PAGES_A_SECOND) as pool:
        return list(pool.map(timed, range(int(seconds * PAGES_A_SECOND))))


def open_pages(hub: Hub, figures: Figures, readers: int, seconds: float) -> None:
    """Measure the home page of different people, and the floor."""
    figures.floor = at_a_rate(lambda _: requests.get(f"{hub.url}/hub/health", timeout=60), seconds / 3)
    used, began = cpu_seconds(hub.pid), time.perf_counter()
    figures.pages = at_a_rate(lambda number: hub.home(number % readers), seconds)
    figures.pages_cpu = (cpu_seconds(hub.pid) - used) / (time.perf_counter() - began)


def gather(hub: Hub, people: int, readers: int) -> None:
    """Let everybody be known to the hub; some of them, or of ours all, are signed in."""
    signed_in = range(people)
    if isinstance(hub, StockHubOfMany):
        signed_in = range(readers)
        hub.add_people(range(readers, people))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hub.sign_in, signed_in))
    # one session and one page, uncounted: the first has to import and connect
    hub.start(people - 1)
    hub.home(0)


def measure(hubs: dict[str, Hub], options: argparse.Namespace) -> dict[str, Figures]:
    """Let the hubs start their sessions in turn."""
    figures = {name: Figures() for name in hubs}
    for name, hub in hubs.items():
        gather(hub, options.people + 1, min(READERS, options.people))
        figures[name].mib.append(pss_mib(hub.pid))
    each = options.people // options.turns
    for number in range(options.turns):
        names = list(hubs)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            turn = take_turn(hubs[name], range(number * each, (number + 1) * each), options.together)
            figures[name].turns.append(turn)
            progress(f"turn {number} {name}: {turn.rate:.1f} starts/s, {turn.hub_ms:.1f} ms of the hub's processor")
        if number + 1 == options.turns // 2:
            for name, hub in hubs.items():
                open_pages(hub, figures[name], min(READERS, options.people), options.pages)
                progress(f"pages {name}: p95 {percentile(figures[name].pages, 0.95):.1f} ms")
    for name, hub in hubs.items():
        figures[name].mib.append(pss_mib(hub.pid))
    return figures


def report(figures: dict[str, Figures], options: argparse.Namespace) -> None:
    """Print the section."""
    rates, starts, pages = [], [], []
    for name, of_hub in figures.items():
        took = [one for turn in of_hub.turns for one in turn.took]
        speed = [turn.rate for turn in of_hub.turns]
        costs = [turn.hub_ms for turn in of_hub.turns]
        rates.append([name, max(speed), median(speed), percentile(speed, 0.05), *_spread(costs), *_spread(took)])
        starts.append([name, *of_hub.mib, (of_hub.mib[1] - of_hub.mib[0]) * 1024 / options.people])
        pages.append([name, *_spread(of_hub.pages), *_spread(of_hub.floor)[:2], of_hub.pages_cpu * 100])
    section(
        f"The hub itself: {options.people:,} sessions of a backend that starts nothing",
        "make bench-scale",
        f"{options.people:,} people of each hub, one session each, {options.together} starts at a time, in"
        f" {options.turns} turns of each hub. A start is a request to the hub's API, answered when the session is"
        " ready; one server answers for all sessions. Three hubs, their node proxies and the program that asks share"
        " the processors. Processor: of a start, of the hub's process.",
        table(
            ["hub", "starts/s, best turn", "p50", "p5", "processor ms, min", "p50", "p95", "a start takes s, min",
             "p50", "p95"],
            rates,
        ),
        table(["hub", "MiB (PSS), nobody", f"with {options.people:,} sessions", "kB for each session"], starts),
        f"Home pages of {min(READERS, options.people)} people, {PAGES_A_SECOND} a second, with"
        f" {options.people // options.turns * (options.turns // 2)} sessions on the hub; the floor is `/hub/health`.",
        table(
            ["hub", "page ms, min", "p50", "p95", "floor ms, min", "p50", "hub % of a core"],
            pages,
        ),
        "\n".join(_verdicts(figures)),
    )  # fmt: skip


def _spread(values: Sequence[float]) -> list[float]:
    return [min(values), percentile(values, 0.5), percentile(values, 0.95)]


def _verdicts(figures: dict[str, Figures]) -> list[str]:
    ours = figures[OURS]
    lines = []
    for other, wanted in ((STOCK, WANTED_RATE), (SAME, WANTED_SAME_DATABASE)):
        if other in figures:
            pairs = zip(ours.turns, figures[other].turns, strict=True)
            ratio = median(one.rate / peer.rate for one, peer in pairs)
            lines.append(goal_min(f"starts a second, ours to {other}, median of the turns", ratio, wanted))
    if STOCK in figures:
        lines.append(
            goal_max("MiB of our hub with all sessions, above stock", ours.mib[1] - figures[STOCK].mib[1], WANTED_MIB)
        )
    if ours.pages:
        lines.append(goal_max("p95 of our home page, ms", percentile(ours.pages, 0.95), WANTED_PAGE_MS))
    return lines


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE, help="sessions of each hub")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--together", type=int, default=TOGETHER, help="starts at a time")
    parser.add_argument("--pages", type=float, default=PAGES_S, help="seconds of pages, with half of the sessions")
    parser.add_argument("--no-peers", action="store_true", help="leave the stock hubs out")
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(nothing_left_behind())
        url = stack.enter_context(sessions())
        hubs: dict[str, Hub] = {OURS: stack.enter_context(our_hub(options.people + 1, url))}
        if not options.no_peers:
            hubs[STOCK] = stack.enter_context(stock_hub(url))
            hubs[SAME] = stack.enter_context(stock_hub(url, more_config=SAME_DATABASE))
        figures = measure(hubs, options)
    report(figures, options)


if __name__ == "__main__":
    main()
