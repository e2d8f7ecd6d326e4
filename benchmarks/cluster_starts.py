"""Five hundred sessions in pods: starts of our hub and of a stock hub with KubeSpawner, in turn.

    python -m benchmarks.cluster_starts

etcd, API server, controllers and scheduler are real (`.ci/cluster build`); kwok plays the nodes, and one program
answers for all pods. Both hubs run all the time, each in a namespace of its own, and start their sessions in turn.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from .cluster_hubs import Hub, our_hub, stock_hub
from .fake_nodes import FakeNodes, running_nodes
from .machine import goal_max, median, percentile, progress, section, table
from .processes import cpu_seconds, nothing_left_behind, pss_mib

PODS, TURNS, TOGETHER = 500, 10, 20
WANTED = 1.1
OURS, STOCK = "ours", "stock KubeSpawner"
#: What a start costs the cluster, apart from kwok and the sessions.
PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass
class Turn:
    """Some starts of one hub, a number of them at a time.

    Attributes:
        seconds: from the first request to the last answer.
        took: seconds of each start.
        hub_ms, cluster_ms: processor time of a start.
        other_ms_s: processor milliseconds a second of the other hub meanwhile, whose sessions only run.
        pages: milliseconds of the home pages that were opened meanwhile.
    """

    starts: int
    seconds: float
    took: list[float]
    hub_ms: float
    cluster_ms: float
    other_ms_s: float
    pages: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Starts a second."""
        return self.starts / self.seconds


@contextmanager
def home_pages(hub: Hub, person: int) -> Iterator[list[float]]:
    """Open somebody's home page three times a second; the milliseconds each."""
    took: list[float] = []
    ended = threading.Event()

    def open_pages() -> None:
        while not ended.is_set():
            began = time.perf_counter()
            hub.home(person)
            took.append((time.perf_counter() - began) * 1000)
            ended.wait(0.3)

    thread = threading.Thread(target=open_pages)
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join()


def take_turn(
    hub: Hub, cluster: FakeNodes, people: range, *, together: int, reader: int, others: Sequence[Hub] = ()
) -> Turn:
    """Start the sessions of these people, some of them at a time."""
    parts = [cluster.parts[name] for name in PARTS]

    def processor() -> tuple[float, float, float]:
        return cpu_seconds(hub.pid), sum(map(cpu_seconds, parts)), sum(cpu_seconds(one.pid) for one in others)

    def start(number: int) -> float:
        began = time.perf_counter()
        hub.start(number)
        return time.perf_counter() - began

    before, began = processor(), time.perf_counter()
    with home_pages(hub, reader) as pages, ThreadPoolExecutor(together) as pool:
        took = list(pool.map(start, people))
        seconds = time.perf_counter() - began
        hub_s, cluster_s, other_s = (now - then for now, then in zip(processor(), before, strict=True))
    each = 1000 / len(people)
    return Turn(len(people), seconds, took, hub_s * each, cluster_s * each, other_s / seconds * 1000, pages)


def measure(
    hubs: dict[str, Hub], cluster: FakeNodes, options: argparse.Namespace
) -> tuple[dict[str, list[Turn]], dict[str, tuple[float, float]]]:
    """Let the hubs start their sessions in turn; return the turns, and each hub's memory before and after (MiB)."""
    each = options.pods // options.turns
    reader = options.pods
    for hub in hubs.values():
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(hub.sign_in, range(reader + 1)))
        # one of each, uncounted: the first has to import, connect and list
        hub.home(reader)
        hub.start(reader)
    memory = {name: pss_mib(hub.pid) for name, hub in hubs.items()}
    turns: dict[str, list[Turn]] = {name: [] for name in hubs}
    for number in range(options.turns):
        names = list(hubs) if number % 2 else list(hubs)[::-1]
        for name in names:
            people = range(number * each, (number + 1) * each)
            others = [hub for other, hub in hubs.items() if other != name]
            turn = take_turn(hubs[name], cluster, people, together=options.together, reader=reader, others=others)
            turns[name].append(turn)
            progress(f"turn {number} {name}: {turn.rate:.1f} starts/s, {turn.hub_ms:.0f} ms of the hub's processor")
    return turns, {name: (memory[name], pss_mib(hub.pid)) for name, hub in hubs.items()}


def report(turns: dict[str, list[Turn]], memory: dict[str, tuple[float, float]], options: argparse.Namespace) -> None:
    """Print the section."""
    rates, starts, costs = [], [], []
    for name, done in turns.items():
        took = [one for turn in done for one in turn.took]
        pages = [one for turn in done for one in turn.pages]
        per_start = [turn.seconds / turn.starts * 1000 for turn in done]
        rates.append([name, max(turn.rate for turn in done), median(turn.rate for turn in done), *_spread(per_start)])
        starts.append([name, *_spread(took), *_spread(pages)])
        hub, cluster = ([getattr(turn, part) for turn in done] for part in ("hub_ms", "cluster_ms"))
        without = [_without_running(turns, name, number) for number in range(len(done))]
        grown = memory[name][1] - memory[name][0]
        costs.append(
            [name, *_spread(hub), median(without), median(cluster), memory[name][1], grown * 1024 / options.pods]
        )
    section(
        f"{options.pods} sessions on a cluster: starts",
        "make bench-cluster",
        f"{options.pods} people of each hub, one session each, {options.together} starts at a time, in {options.turns}"
        " turns of each hub; both hubs, API server, etcd, scheduler, controllers, kwok and the program that asks share"
        " the processors. A start is a request to the hub's API, answered when the session is ready. Ours authorises"
        " each start, compares the pod, makes two Secrets, and lets the session prove what it has.",
        table(["hub", "starts/s, best turn", "p50", "ms for each start, min", "p50", "p95"], rates),
        table(["hub", "a start takes s, min", "p50", "p95", "home page meanwhile ms, min", "p50", "p95"], starts),
        "Processor time of a start, and what the hub holds (PSS):",
        table(
            ["hub", "hub ms, min", "p50", "p95", "p50 without its running sessions",
             "etcd, API server, controllers, scheduler ms, p50",
             f"MiB with {options.pods} sessions", "kB for each session"],
            costs,
        ),
        "\n".join(_verdicts(turns)),
    )  # fmt: skip


def _spread(values: Sequence[float]) -> list[float]:
    return [min(values), percentile(values, 0.5), percentile(values, 0.95)]


def _without_running(turns: dict[str, list[Turn]], name: str, number: int) -> float:
    """Return a turn's processor time of a start without what the hub's running sessions cost in that time.

    That is what they cost in the other hub's turn of the same number.
    """
    turn = turns[name][number]
    idle = median(done[number].other_ms_s for other, done in turns.items() if other != name) if len(turns) > 1 else 0.0
    return turn.hub_ms - idle / turn.rate


def _verdicts(turns: dict[str, list[Turn]]) -> list[str]:
    if STOCK not in turns:
        return []
    pairs = list(zip(turns[OURS], turns[STOCK], strict=True))
    time_ratio = median(ours.seconds / stock.seconds for ours, stock in pairs)
    cost_ratio = median(
        _without_running(turns, OURS, number) / _without_running(turns, STOCK, number) for number in range(len(pairs))
    )
    least = min(min(turn.took) for turn in turns[OURS]) / min(min(turn.took) for turn in turns[STOCK])
    return [
        goal_max("time for each start, ours to stock, median of the turns", time_ratio, WANTED),
        goal_max("processor time of the hub for a start without running sessions, ours to stock", cost_ratio, WANTED),
        f"- the shortest start, ours to stock (which waits at random): {least:.2f}.",
    ]


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=PODS, help="sessions of each hub")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--together", type=int, default=TOGETHER, help="starts at a time")
    parser.add_argument("--no-peer", action="store_true", help="leave the stock hub out")
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(nothing_left_behind())
        cluster = stack.enter_context(running_nodes())
        namespaces = [cluster.new_namespace() for _ in range(2)]
        cluster.play_sessions(*namespaces)
        people = options.pods + 1
        hubs: dict[str, Hub] = {OURS: stack.enter_context(our_hub(cluster, namespaces[0], people))}
        if not options.no_peer:
            hubs[STOCK] = stack.enter_context(stock_hub(cluster, namespaces[1]))
        turns, memory = measure(hubs, cluster, options)
    report(turns, memory, options)


if __name__ == "__main__":
    main()
