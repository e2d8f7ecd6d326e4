"""Click to first frame and to the application's window: ours, the stock peer and the floor, interleaved in one run."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from .browser import Launch, chromium, measure, measure_opening
from .floor import Floor
from .machine import goal_max, median, percentile, progress, section, table
from .opened import launch_and_leave
from .peer import Peer
from .portal import Portal, add_before
from .processes import nothing_left_behind
from .rfb import RfbClient
from .service import state_folder
from .streams import ByteStream, open_unix, open_unix_websocket
from .windows import has_window

WANTED_OF_PEER = 0.25
WANTED_OF_BEFORE = 1.05
WANTED_OF_FLOOR = 1.05
WANTED_SPREAD = 1.15
BEFORE = "before"
LABELS = {
    "ours": "ours",
    BEFORE: "ours, before",
    "peer": "stock peer",
    "floor": "floor, no browser",
    "served": "floor with a server, no browser",
    "opening": "opening a session that runs",
}
SYSTEMS = [name for name in LABELS if name != BEFORE]


def measure_floor(state: Path, application: str, title: str, *, server: bool = False) -> Launch:
    """Start the floor once; the first frame is the first update with light in it at a bare client.

    Args:
        server: whether the client connects to a websocket of a server beside the X server, as a browser has to.
    """
    began = time.time()
    with Floor(state, application, server=server) as floor:
        client = connect(floor.web_socket, open_unix_websocket) if server else connect(floor.socket)
        client.wait_for_light()
        frame = time.time()
        client.close()
        while (xvnc := floor.xvnc) is None or not has_window(xvnc, title):
            if time.time() - frame > 120:
                raise RuntimeError(f"the floor shows no window with {title!r} in its title")
            time.sleep(0.03)
        return Launch(frame - began, time.time() - began)


def connect(
    path: Path,
    open_stream: Callable[[Path], ByteStream] = open_unix,
    *,
    timeout_s: float = 30,
    pause_s: float = 0.002,
) -> RfbClient:
    """Connect as soon as the display server listens; try again after a pause."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return RfbClient(open_stream(path))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(pause_s)


def run(options: argparse.Namespace) -> dict[str, list[Launch]]:
    """Measure every system once a round, each round beginning with another one; the first round warms up."""
    with ExitStack() as stack:
        stack.enter_context(nothing_left_behind())
        state = stack.enter_context(state_folder())
        browser = stack.enter_context(chromium())
        systems: dict[str, Callable[[], Launch]] = {}
        if "ours" in options.systems:
            portal = stack.enter_context(Portal(state / "ours", options.name, proposal=options.proposal))
            systems["ours"] = lambda: measure(browser, portal, options.title)
        if options.before:
            older = Portal(state / BEFORE, options.name, proposal=options.proposal, checkout=options.before)
            stack.enter_context(older)
            systems[BEFORE] = lambda: measure(browser, older, options.title)
        if "peer" in options.systems:
            peer = stack.enter_context(Peer(state / "peer", options.command))
            systems["peer"] = lambda: measure(browser, peer, options.title)
        if "floor" in options.systems:
            systems["floor"] = lambda: measure_floor(state, options.command, options.title)
        if "served" in options.systems:
            systems["served"] = lambda: measure_floor(state, options.command, options.title, server=True)
        if "opening" in options.systems:
            opened = stack.enter_context(Portal(state / "opening", options.name, proposal=options.proposal))
            address, _ = launch_and_leave(browser, opened)
            systems["opening"] = lambda: measure_opening(browser, opened, address)
        return rounds(systems, options.runs)


def rounds(systems: dict[str, Callable[[], Launch]], runs: int) -> dict[str, list[Launch]]:
    """Measure every system once a round, each round beginning with another one; the first round warms up."""
    results: dict[str, list[Launch]] = {name: [] for name in systems}
    for number in range(runs + 1):
        names = list(systems)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            launch = systems[name]()
            progress(f"round {number} {name}: frame {launch.frame_s:.2f} s, window {launch.window_s:.2f} s")
            if number:
                results[name].append(launch)
    return results


def report(options: argparse.Namespace, results: dict[str, list[Launch]]) -> None:
    """Print the section: the figures, where the time goes, and the verdict."""
    rows = []
    for name, launches in results.items():
        frames = [launch.frame_s for launch in launches]
        windows = [launch.window_s for launch in launches]
        left = Counter(process for launch in launches for process in launch.left)
        rows.append(
            [
                LABELS[name],
                min(frames),
                *(percentile(values, share) for values in (frames, windows) for share in (0.5, 0.95)),
                ", ".join(f"{count}x {process}" for process, count in sorted(left.items())) or "nothing",
            ]
        )
    head = ["system", "frame min s", "frame p50 s", "frame p95 s", "window p50 s", "window p95 s", "left running"]
    section(
        "Launch: click to desktop",
        "make bench-launch",
        f"{options.runs} launches of `{options.command}` each, interleaved, after one uncounted; headless Chromium, a "
        "cold context for every launch; *frame* is the first pixel on the desktop's canvas that is not black, *window* "
        f"the X server's first window with `{options.title}` in its title.",
        table(head, rows),
        *_steps_tables(results),
        "\n".join(_verdicts(results)),
    )


def _steps_tables(results: dict[str, list[Launch]]) -> list[str]:
    """Where the time goes: when each page on the way began (median of the launches that saw it)."""
    rows = []
    for name, launches in results.items():
        seen: dict[str, list[float]] = {}
        for launch in launches:
            for step, at in dict(reversed(launch.steps)).items():
                seen.setdefault(step, []).append(at)
        steps = sorted(((step, median(times)) for step, times in seen.items()), key=lambda item: item[1])
        rows += [[LABELS[name], f"`{step}`", at] for step, at in steps]
    return [table(["system", "page", "began after s"], rows)] if rows else []


def _verdicts(results: dict[str, list[Launch]]) -> list[str]:
    middle = {name: median(launch.frame_s for launch in launches) for name, launches in results.items()}
    lines = []
    if "ours" in middle and "peer" in middle:
        ratio = middle["ours"] / middle["peer"]
        lines.append(goal_max("first frame p50, ours to the stock peer", ratio, WANTED_OF_PEER))
        least = {name: min(launch.frame_s for launch in results[name]) for name in ("ours", "peer")}
        # the stock hub waits for its server in growing random intervals: its minimum is without them
        lines.append(f"- first frame, minimum, ours to the stock peer: {least['ours'] / least['peer']:.2f}.")
    if "ours" in middle and BEFORE in middle:
        lines.append(goal_max("first frame p50, ours to before", middle["ours"] / middle[BEFORE], WANTED_OF_BEFORE))
    if "ours" in middle and "floor" in middle:
        lines.append(f"- first frame p50, ours to the floor: {middle['ours'] / middle['floor']:.1f}.")
    if {"ours", "floor", "opening"} <= set(middle):
        ratio = middle["ours"] / (middle["floor"] + middle["opening"])
        lines.append(f"- first frame p50, ours to floor and opening: {ratio:.2f}.")
    if {"ours", "served", "opening"} <= set(middle):
        # a browser that is sent on early overlaps the two: then this can be less than 1
        ratio = middle["ours"] / (middle["served"] + middle["opening"])
        lines.append(goal_max("first frame p50, ours to floor with a server, and opening", ratio, WANTED_OF_FLOOR))
    if "ours" in results:
        frames = [launch.frame_s for launch in results["ours"]]
        spread = percentile(frames, 0.95) / median(frames)
        lines.append(goal_max("first frame, ours, p95 to p50", spread, WANTED_SPREAD))
    if "ours" in results:
        left = sum(len(launch.left) for launch in results["ours"])
        lines.append(goal_max("processes left by our stopped sessions", left, 0))
    return lines


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="counted launches of each system")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    add_before(parser)
    parser.add_argument("--name", default="pymca", help="the application's name in our catalogue")
    parser.add_argument("--command", default="pymca", help="the command that starts the same application")
    parser.add_argument("--title", default="PyMca", help="what its window's title contains")
    parser.add_argument("--proposal", help="the proposal to launch on (the first one listed)")
    options = parser.parse_args()
    os.environ.pop("DISPLAY", None)
    report(options, run(options))


if __name__ == "__main__":
    main()
