"""What a hub costs from 10 to 1,000 sessions in pods: memory, processor while nobody does anything, the home page.

    python -m benchmarks.cluster_scale

The cluster is that of `benchmarks.cluster_starts`. Every session reports every ten seconds that it lives and every
minute that somebody works in it. The plot is written to docs/pictures/hub-by-sessions.svg.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .cluster_hubs import Hub, our_hub
from .fake_nodes import FakeNodes, running_nodes
from .machine import goal_max, median, percentile, progress, section, table
from .plots import Line, write_plot
from .processes import cpu_seconds, listener, nothing_left_behind, pss_mib

COUNTS = (10, 30, 100, 300, 1000)
PAGES, IDLE_S, SETTLE_S, TOGETHER = 40, 30.0, 5.0, 10
WANTED_P95_MS, WANTED_CORE = 300.0, 0.25
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "hub-by-sessions.svg"


@dataclass(frozen=True)
class Step:
    """The hub with a number of sessions.

    Attributes:
        hub, proxy, api: what each used of one processor while nobody asked anything, from 0 to 1.
        starts_s: how long it took to come here from the step before.
    """

    sessions: int
    hub_mib: float
    proxy_mib: float
    hub: float
    proxy: float
    api: float
    pages: list[float]
    starts: int
    starts_s: float


def measure(hub: Hub, cluster: FakeNodes, counts: Sequence[int], idle_s: float) -> list[Step]:
    """Start sessions up to each count, and measure there."""
    port = int(hub.url.rpartition(":")[2])
    proxy = listener(port) or 0
    done: list[Step] = []
    for count in counts:
        numbers = range(done[-1].sessions if done else 0, count)
        began = time.perf_counter()
        with ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(hub.start, numbers))
        starts_s = time.perf_counter() - began
        time.sleep(SETTLE_S)
        used = _used([hub.pid, proxy, cluster.parts["kube-apiserver"]], idle_s)
        pages = [_timed(hub.home, number % count) for number in range(PAGES)]
        memory = pss_mib(hub.pid), pss_mib(proxy)
        done.append(Step(count, *memory, *used, pages, len(numbers), starts_s))
        progress(f"{count} sessions: {memory[0]:.0f} MiB, {used[0] * 100:.1f} %, page {median(pages):.1f} ms")
    return done


def _used(pids: Sequence[int], seconds: float) -> list[float]:
    """Return what each process used of one processor in this time."""
    before, began = [cpu_seconds(pid) for pid in pids], time.perf_counter()
    time.sleep(seconds)
    passed = time.perf_counter() - began
    return [(cpu_seconds(pid) - then) / passed for pid, then in zip(pids, before, strict=True)]


def _timed(open_page: Callable[[int], None], number: int) -> float:
    began = time.perf_counter()
    open_page(number)
    return (time.perf_counter() - began) * 1000


def report(steps: Sequence[Step]) -> None:
    """Print the section, and write the plot."""
    rows: list[list[object]] = [
        [
            step.sessions, step.hub_mib, step.proxy_mib, step.hub * 100, step.proxy * 100, step.api * 100,
            min(step.pages), percentile(step.pages, 0.5), percentile(step.pages, 0.95), step.starts / step.starts_s,
        ]
        for step in steps
    ]  # fmt: skip
    first, last = steps[0], steps[-1]
    each = (last.hub_mib - first.hub_mib) * 1024 / (last.sessions - first.sessions)
    section(
        "The hub by the number of sessions",
        "make bench-cluster-scale",
        "One person a session, in pods of the fake nodes; every session reports every ten seconds that it lives and"
        f" every minute that somebody works in it. Processor: of one core, {IDLE_S:g} s in which nobody opens a page."
        f" Then {PAGES} home pages of different people, one at a time.",
        table(
            ["sessions", "hub MiB (PSS)", "proxy MiB", "hub %", "proxy %", "API server %", "page min ms", "p50", "p95",
             "starts/s on the way"],
            rows,
        ),
        "\n".join(
            [
                goal_max(f"p95 of the page, {last.sessions} sessions, ms", percentile(last.pages, 0.95), WANTED_P95_MS),
                goal_max(f"cores of the hub, {last.sessions} sessions, nobody asking", last.hub, WANTED_CORE),
                f"- a session: {each:.0f} kB of the hub's memory.",
            ]
        ),
    )  # fmt: skip
    write_plot(
        PICTURE,
        "The hub by the number of sessions",
        f"Memory of the hub grows from {first.hub_mib:.0f} to {last.hub_mib:.0f} MiB between {first.sessions} and"
        f" {last.sessions} sessions, its processor from {first.hub * 100:.1f} to {last.hub * 100:.1f} % of a core, the"
        f" median home page from {median(first.pages):.0f} to {median(last.pages):.0f} ms.",
        [step.sessions for step in steps],
        [
            Line("memory, MiB", [step.hub_mib for step in steps]),
            Line("processor, 0.1 % of a core", [step.hub * 1000 for step in steps]),
            Line("home page, median, ms", [median(step.pages) for step in steps]),
        ],
    )


def main() -> None:
    """Read the command line, measure, print, plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--idle", type=float, default=IDLE_S, help="seconds in which nobody asks, at each step")
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(nothing_left_behind())
        cluster = stack.enter_context(running_nodes())
        namespace = cluster.new_namespace()
        cluster.play_sessions(namespace)
        hub = stack.enter_context(our_hub(cluster, namespace, max(options.counts)))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(hub.sign_in, range(max(options.counts))))
        steps = measure(hub, cluster, sorted(options.counts), options.idle)
    report(steps)


if __name__ == "__main__":
    main()
