"""The pixel path: our proxy and session server beside the same X server's own socket and the stock peer's path.

The rounds are interleaved. The peer's figures set the scale: targets were set with another client and generator.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster.cluster import require_cluster

from .docker import DockerPortal, image
from .machine import goal_max, goal_min, median, progress, section, table
from .opened import OpenedSession, open_session
from .peer import Peer
from .pixels import HEIGHT, WIDTH, Flow, Round, measure_round
from .pods import PodPortal, namespace_of
from .portal import Checkout, Portal, add_before
from .processes import nothing_left_behind
from .service import state_folder

DIRECT, OURS, BEFORE, STOCK = "X server's socket", "ours", "ours, before", "stock peer"
#: The painter and its X server are never short of it.
POD_CPUS = 1.5
WANTED_RATE, WANTED_KEY, WANTED_RAW = 0.95, 1.3, 0.75
PAINTER = Path(__file__).resolve().parent / "painter.py"
Rounds = dict[str, list[Round]]


def painter_application() -> str:
    """The painter as an entry of the catalogue; its source travels in the command."""
    command = ["python3", "-c", PAINTER.read_text()]
    lines = {"name": "painter", "title": "Painter", "kind": "desktop", "command": command}
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items())


@contextmanager
def painter_in_pods(state: Path) -> Iterator[Portal]:
    """Return the portal that starts the painter in a pod of the cluster."""
    cluster = require_cluster()
    with namespace_of(cluster, "privileged") as namespace:
        command = ["python3", "-c", PAINTER.read_text()]
        yield PodPortal(state, cluster, namespace, image="desktop", command=command, cpus=POD_CPUS)


def measure(sessions: Mapping[str, OpenedSession], options: argparse.Namespace) -> Rounds:
    """Measure every path in every round, each round beginning with another one; the first round warms up."""
    paths = {DIRECT: (sessions[OURS].past_the_hub, sessions[OURS].hops())}
    paths |= {name: (session.through_the_hub, session.hops()) for name, session in sessions.items()}
    results: Rounds = {name: [] for name in paths}
    for number in range(options.rounds + 1):
        names = list(paths)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            connect, hops = paths[name]
            done = measure_round(connect, hops, options.seconds, options.keys)
            progress(
                f"round {number} {name}: {done.tight.rate:.1f} updates/s, key {done.key(0.5):.1f} ms, "
                f"raw {done.raw.throughput:.0f} MB/s"
            )
            if number:
                results[name].append(done)
    return results


def ratio(results: Rounds, path: str, figure: Callable[[Round], float]) -> float:
    """One path to direct, within each round, the median of the rounds."""
    return median(figure(one) / figure(direct) for one, direct in zip(results[path], results[DIRECT], strict=True))


FIGURES: Sequence[tuple[str, Callable[[Round], float]]] = (
    ("updates/s, Tight", lambda done: done.tight.rate),
    ("MB/s, Tight", lambda done: done.tight.throughput),
    ("key echo p50 ms", lambda done: done.key(0.5)),
    ("key echo p95 ms", lambda done: done.key(0.95)),
    ("updates/s, raw", lambda done: done.raw.rate),
    ("MB/s, raw", lambda done: done.raw.throughput),
)


def report(session: OpenedSession, options: argparse.Namespace, results: Rounds) -> None:
    """Print the section: the figures, what each hop costs, and the verdicts."""
    through = [path for path in results if path != DIRECT]
    rows = [
        [
            name,
            *(median(figure(done) for done in rounds) for rounds in results.values()),
            *(ratio(results, path, figure) for path in through),
        ]
        for name, figure in FIGURES
    ]
    section(
        *_title(options),
        f"Medians of {options.rounds} interleaved rounds after one uncounted, {options.seconds:g} s a flow, "
        f"{options.keys} keys; {WIDTH}x{HEIGHT}, one request for each update, a painter of 60 whole frames a second, "
        f"Xvnc with FrameRate {session.argument('-FrameRate', '60 (default)')}; Tight as noVNC asks for it (quality 6, "
        "compression 2). A ratio is to the X server's socket within a round, the median of the rounds. Loopback only.",
        table(["figure", *results, *(f"ratio, {path}" for path in through)], rows),
        "Processor seconds of each process while the screen comes through the path:",
        table(
            ["path", "process", "s/GB, Tight", "s/1000 updates, Tight", "s/GB, raw"],
            [[path, *row] for path in through for row in _costs(results[path])],
        ),
        "\n".join(
            [
                goal_min("update rate, ours to direct", ratio(results, OURS, FIGURES[0][1]), WANTED_RATE),
                goal_max("key echo p95, ours to direct", ratio(results, OURS, FIGURES[3][1]), WANTED_KEY),
                goal_min("raw throughput, ours to direct", ratio(results, OURS, FIGURES[5][1]), WANTED_RAW),
                *([_of_before(results)] if BEFORE in results else []),
            ]
        ),
    )


def _title(options: argparse.Namespace) -> tuple[str, str]:
    """Return the section's title, and its command."""
    if options.pods:
        return "Pods: the data path", "make bench-pods"
    if options.containers:
        return "Containers: the data path", "make bench-docker"
    return "Data path: the screen through proxy and session server", "make bench-path"


def _of_before(results: Rounds) -> str:
    """Return a line that compares ours with the older checkout, round by round."""
    pairs = list(zip(results[OURS], results[BEFORE], strict=True))
    ratios = [
        f"{name} {median(figure(ours) / figure(before) for ours, before in pairs):.2f}" for name, figure in FIGURES
    ]
    return f"- ours to before, median of the rounds: {', '.join(ratios)}."


def _costs(rounds: list[Round]) -> list[list[object]]:
    def cost(flows: list[Flow], who: str) -> float:
        return median(flow.cpu_per_gb(who) for flow in flows)

    tight, raw = [done.tight for done in rounds], [done.raw for done in rounds]
    return [
        [who, cost(tight, who), median(flow.cpu[who] / flow.updates * 1000 for flow in tight), cost(raw, who)]
        for who in tight[0].cpu
    ]


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="counted rounds over every path")
    parser.add_argument("--seconds", type=float, default=4, help="length of each flow")
    parser.add_argument("--keys", type=int, default=100, help="keys pressed in a round over one path")
    parser.add_argument("--proposal", help="the proposal to launch on (the first one listed)")
    parser.add_argument("--containers", action="store_true", help="sessions are containers, without a peer")
    parser.add_argument("--pods", action="store_true", help="sessions are pods of the cluster, without a peer")
    parser.add_argument("--no-peer", action="store_true", help="leave the stock peer out")
    add_before(parser)
    options = parser.parse_args()
    if options.before and (options.containers or options.pods):
        parser.error("--before measures sandboxes only")
    with ExitStack() as stack:
        stack.enter_context(nothing_left_behind())
        state = stack.enter_context(state_folder())

        def open_ours(folder: str, checkout: Checkout | None = None) -> OpenedSession:
            if options.pods:
                return stack.enter_context(open_session(stack.enter_context(painter_in_pods(state / folder))))
            kind = DockerPortal if options.containers else Portal
            portal: Portal = kind(state / folder, "painter", proposal=options.proposal, checkout=checkout)
            portal.add_to_catalogue(painter_application() + f"image: {image('desktop')}\n" * options.containers)
            return stack.enter_context(open_session(portal))

        sessions = {OURS: open_ours("ours")}
        if options.before:
            sessions[BEFORE] = open_ours("before", options.before)
        if not (options.no_peer or options.containers or options.pods):
            peer = Peer(state / "peer", f"/usr/bin/python3 {PAINTER}")
            sessions[STOCK] = stack.enter_context(open_session(peer))
        report(sessions[OURS], options, measure(sessions, options))


if __name__ == "__main__":
    main()
