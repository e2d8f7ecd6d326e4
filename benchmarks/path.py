"""The pixel path: our proxy and session server beside the same X server's own socket and the stock peer's path.

The rounds are interleaved. The peer's figures set the scale: targets were set with another client and generator.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.cluster.cluster import require_cluster

from .browser import Site
from .docker import DockerPortal, image
from .machine import goal_max, goal_min, median, progress, section, spread, spread_head, table
from .opened import OpenedSession, open_session
from .peer import Peer
from .pixels import HEIGHT, WIDTH, Flow, Round, measure_round
from .pods import PodPortal, measured_size, namespace_of
from .portal import Checkout, Portal, add_before
from .processes import nothing_left_behind
from .service import state_folder
from .streams import ByteStream

DIRECT, OURS, BEFORE, STOCK = "X server's socket", "ours", "ours, before", "stock peer"
CONTAINER, POD = "container", "pod"
#: Of a pod and of a container: the painter and its X server are never short of it.
CPUS = 1.5
WANTED_RATE, WANTED_KEY, WANTED_RAW = 0.95, 1.3, 0.75
PAINTER = Path(__file__).resolve().parent / "painter.py"
Rounds = dict[str, list[Round]]


def painter_application() -> str:
    """The painter as an entry of the catalogue; its source travels in the command."""
    command = ["python3", "-c", PAINTER.read_text()]
    lines = {"name": "painter", "title": "Painter", "kind": "desktop", "command": command}
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items())


def painter_in_a_container(state: Path, proposal: str | None) -> Portal:
    """Return the portal that starts the painter in a container of the engine."""
    portal = DockerPortal(state, "painter", proposal=proposal)
    portal.add_to_catalogue(f"{painter_application()}image: {image('desktop')}\nsizes: [measured]\n")
    (portal.catalogue / "sizes.yaml").write_text(measured_size(CPUS))
    return portal


@contextmanager
def painter_in_a_pod(state: Path) -> Iterator[Portal]:
    """Return the portal that starts the painter in a pod of the cluster."""
    cluster = require_cluster()
    with namespace_of(cluster, "privileged") as namespace:
        command = ["python3", "-c", PAINTER.read_text()]
        yield PodPortal(state, cluster, namespace, image="desktop", command=command, cpus=CPUS)


def measure(sessions: Mapping[str, OpenedSession], direct: Mapping[str, str], options: argparse.Namespace) -> Rounds:
    """Measure every path in every round, each round beginning with another one; the first round warms up."""
    paths: dict[str, tuple[Callable[[], ByteStream], Mapping[str, list[int]]]] = {}
    for name, session in sessions.items():
        paths.setdefault(direct[name], (session.past_the_hub, session.hops()))
        paths[name] = (session.through_the_hub, session.hops())
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


def ratio(results: Rounds, path: str, other: str, figure: Callable[[Round], float]) -> float:
    """One path to another, within each round, the median of the rounds."""
    return median(figure(one) / figure(two) for one, two in zip(results[path], results[other], strict=True))


def _screens(done: Round) -> float:
    return done.tight.screens


def _late_key(done: Round) -> float:
    return done.key(0.95)


def _raw_throughput(done: Round) -> float:
    return done.raw.throughput


FIGURES: Sequence[tuple[str, Callable[[Round], float]]] = (
    ("screens/s, Tight", _screens),
    ("updates/s, Tight", lambda done: done.tight.rate),
    ("MB/s, Tight", lambda done: done.tight.throughput),
    ("key echo p50 ms", lambda done: done.key(0.5)),
    ("key echo p95 ms", _late_key),
    ("updates/s, raw", lambda done: done.raw.rate),
    ("MB/s, raw", _raw_throughput),
)


def report(
    sessions: Mapping[str, OpenedSession], direct: Mapping[str, str], options: argparse.Namespace, results: Rounds
) -> None:
    """Print the section: the figures, what each hop costs, and the verdicts."""
    rows: list[list[object]] = [
        [
            name,
            path,
            *spread(figure(done) for done in rounds),
            ratio(results, path, direct[path], figure) if path in sessions else "the floor",
        ]
        for name, figure in FIGURES
        for path, rounds in results.items()
    ]
    frame_rate = next(iter(sessions.values())).argument("-FrameRate", "60 (default)")
    section(
        *_title(options),
        f"{options.rounds} interleaved rounds after one uncounted, {options.seconds:g} s a flow, "
        f"{options.keys} keys; {WIDTH}x{HEIGHT}, one request for each update, a painter of 60 whole frames a second, "
        f"Xvnc with FrameRate {frame_rate}; Tight as noVNC asks for it (quality 6, compression 2). Screens are the "
        "pixels of all updates, in whole screens: between two frames, Xvnc answers a request with a strip of the last "
        "one without loss, which is an update, too. A ratio is to the X server's "
        f"socket within a round, the median of the rounds.{_limits(sessions)} Loopback only.",
        table(["figure", "path", *spread_head("of the rounds"), "ratio"], rows),
        "Processor seconds of each process while the screen comes through the path:",
        table(
            ["path", "process", "s/GB, Tight", "s/1000 updates, Tight", "s/GB, raw"],
            [[path, *row] for path in sessions for row in _costs(results[path])],
        ),
        "\n".join(_verdicts(results, direct)),
    )


def _verdicts(results: Rounds, direct: Mapping[str, str]) -> list[str]:
    """Return the lines that say which goals are met, and how two paths compare."""
    lines = []
    for path in (path for path in (OURS, CONTAINER, POD) if path in results):
        of_direct = partial(ratio, results, path, direct[path])
        lines += [
            goal_min(f"screens a second, {path} to direct", of_direct(_screens), WANTED_RATE),
            goal_max(f"key echo p95, {path} to direct", of_direct(_late_key), WANTED_KEY),
            goal_min(f"raw throughput, {path} to direct", of_direct(_raw_throughput), WANTED_RAW),
        ]
    for path, other in ((OURS, BEFORE), (POD, CONTAINER)):
        if path in results and other in results:
            ratios = ", ".join(f"{name} {ratio(results, path, other, figure):.2f}" for name, figure in FIGURES)
            lines.append(f"- {path} to {other}, median of the rounds: {ratios}.")
    return lines


def _limits(sessions: Mapping[str, OpenedSession]) -> str:
    """Return a sentence on what the sessions of a comparison may use."""
    return f" Both sessions may use {CPUS:g} processors." if POD in sessions else ""


def _title(options: argparse.Namespace) -> tuple[str, str]:
    """Return the section's title, and its command."""
    if options.pods:
        return "Pods: the data path", "make bench-pods"
    if options.containers:
        return "Containers: the data path", "make bench-docker"
    return "Data path: the screen through proxy and session server", "make bench-path"


def _costs(rounds: list[Round]) -> list[list[object]]:
    def cost(flows: list[Flow], who: str) -> float:
        return median(flow.cpu_per_gb(who) for flow in flows)

    tight, raw = [done.tight for done in rounds], [done.raw for done in rounds]
    return [
        [who, cost(tight, who), median(flow.cpu[who] / flow.updates * 1000 for flow in tight), cost(raw, who)]
        for who in tight[0].cpu
    ]


def open_sessions(stack: ExitStack, state: Path, options: argparse.Namespace) -> dict[str, OpenedSession]:
    """Open the sessions to measure, by the name of their path."""

    def opened(site: Site) -> OpenedSession:
        return stack.enter_context(open_session(site))

    def portal(folder: str, checkout: Checkout | None = None) -> Portal:
        one = Portal(state / folder, "painter", proposal=options.proposal, checkout=checkout)
        one.add_to_catalogue(painter_application())
        return one

    sessions = {}
    if options.containers:
        sessions[CONTAINER] = opened(painter_in_a_container(state / "container", options.proposal))
    if options.pods:
        sessions[POD] = opened(stack.enter_context(painter_in_a_pod(state / "pod")))
    if sessions:
        return sessions
    sessions[OURS] = opened(portal("ours"))
    if options.before:
        sessions[BEFORE] = opened(portal("before", options.before))
    if not options.no_peer:
        sessions[STOCK] = opened(Peer(state / "peer", f"/usr/bin/python3 {PAINTER}"))
    return sessions


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
        sessions = open_sessions(stack, state, options)
        # a container and a pod are each compared with their own X server, the others all with ours
        direct = {name: f"{DIRECT}, {name}" if {CONTAINER, POD} & {*sessions} else DIRECT for name in sessions}
        report(sessions, direct, options, measure(sessions, direct, options))


if __name__ == "__main__":
    main()
