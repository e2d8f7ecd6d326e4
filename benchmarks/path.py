"""The pixel path: our proxy and session server beside the same X server's own socket, rounds interleaved."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .machine import at_least, at_most, median, progress, section, table
from .opened import OpenedSession, open_session
from .pixels import HEIGHT, WIDTH, Flow, Round, measure_round
from .processes import nothing_left_behind

DIRECT, OURS = "X server's socket", "proxy and session server"
WANTED_RATE, WANTED_KEY, WANTED_RAW = 0.95, 1.3, 0.75
HERE = Path(__file__).resolve().parent
Rounds = dict[str, list[Round]]


def painter_application() -> str:
    """The painter as an entry of the catalogue; its source travels in the command."""
    command = ["python3", "-c", (HERE / "painter.py").read_text()]
    lines = {"name": "painter", "title": "Painter", "kind": "desktop", "command": command}
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items())


def measure(session: OpenedSession, options: argparse.Namespace) -> Rounds:
    """Measure both paths in every round, each round beginning with the other one; the first round warms up."""
    paths = {DIRECT: session.direct, OURS: session.through_the_portal}
    hops = session.hops()
    results: Rounds = {name: [] for name in paths}
    for number in range(options.rounds + 1):
        for name in sorted(paths, reverse=number % 2 == 0):
            done = measure_round(paths[name], hops, options.seconds, options.keys)
            progress(
                f"round {number} {name}: {done.tight.rate:.1f} updates/s, key {done.key(0.5):.1f} ms, "
                f"raw {done.raw.throughput:.0f} MB/s"
            )
            if number:
                results[name].append(done)
    return results


def ratio(results: Rounds, figure: Callable[[Round], float]) -> float:
    """Ours to direct, within each round, the median of the rounds."""
    return median(figure(ours) / figure(direct) for ours, direct in zip(results[OURS], results[DIRECT], strict=True))


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
    rows = [
        [name, *(median(figure(done) for done in results[path]) for path in (DIRECT, OURS)), ratio(results, figure)]
        for name, figure in FIGURES
    ]
    section(
        "Data path: the screen through proxy and session server",
        "make bench-path",
        f"Medians of {options.rounds} interleaved rounds after one uncounted, {options.seconds:g} s a flow, "
        f"{options.keys} keys; {WIDTH}x{HEIGHT}, one request for each update, a painter of 60 whole frames a second, "
        f"Xvnc with FrameRate {session.argument('-FrameRate', '60 (default)')}; Tight as noVNC asks for it (quality 6, "
        "compression 2). *Ratio* is ours to direct within a round, the median of the rounds. Loopback only.",
        table(["figure", DIRECT, OURS, "ratio"], rows),
        "Processor seconds while the screen comes through proxy and session server:",
        table(["process", "s/GB, Tight", "s/1000 updates, Tight", "s/GB, raw"], _costs(results[OURS])),
        "\n".join(
            [
                at_least("update rate, ours to direct", ratio(results, lambda done: done.tight.rate), WANTED_RATE),
                at_most("key echo p95, ours to direct", ratio(results, lambda done: done.key(0.95)), WANTED_KEY),
                at_least("raw throughput, ours to direct", ratio(results, lambda done: done.raw.rate), WANTED_RAW),
            ]
        ),
    )


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
    parser.add_argument("--rounds", type=int, default=7, help="counted rounds over both paths")
    parser.add_argument("--seconds", type=float, default=4, help="length of each flow")
    parser.add_argument("--keys", type=int, default=100, help="keys pressed in a round over one path")
    parser.add_argument("--proposal", help="the proposal to launch on (the first one listed)")
    options = parser.parse_args()
    with nothing_left_behind(), tempfile.TemporaryDirectory(prefix="daas-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with open_session(Path(folder) / "ours", "painter", options.proposal, painter_application()) as session:
            time.sleep(2)
            report(session, options, measure(session, options))


if __name__ == "__main__":
    main()
