"""Pods: click to first frame, compared with a bare pod of the same image at a bare client.

    python -m benchmarks.cluster_frame

The cluster is that of `.ci/cluster start` (DAAS_TEST_CLUSTER), and has the images of `make images`.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import ExitStack
from pathlib import Path

from tests.cluster.cluster import Cluster, require_cluster
from tests.cluster.portal import on_the_node

from .browser import Launch, chromium, measure
from .launch import rounds
from .machine import goal_max, median, percentile, section, table
from .pods import PodPortal, namespace_of, running_bare_pod
from .processes import nothing_left_behind
from .rfb import RfbClient
from .service import state_folder

WANTED, CPUS = 2.0, 1.0
LABELS = {"ours": "ours", "floor": "bare pod, no browser"}


def measure_floor(cluster: Cluster, namespace: str, image: str, cpus: float) -> Launch:
    """Create a bare pod; the first frame is the first update with light in it at a bare client."""
    began = time.time()
    with running_bare_pod(cluster, namespace, image, cpus) as stream:
        client = RfbClient(stream)
        client.wait_for_light()
        frame = time.time()
        client.close()
    return Launch(frame - began, frame - began)


def run(options: argparse.Namespace) -> dict[str, list[Launch]]:
    """Launch in both, in turn."""
    cluster = require_cluster()
    with ExitStack() as stack:
        stack.enter_context(nothing_left_behind())
        state = stack.enter_context(state_folder())
        ours, bare = (stack.enter_context(namespace_of(cluster, "privileged")) for _ in range(2))
        portal = PodPortal(Path(state), cluster, ours, image="pymca", command=["pymca"], cpus=options.cpus)
        stack.enter_context(portal)
        browser = stack.enter_context(chromium())
        image = on_the_node("pymca")
        systems = {
            "ours": lambda: measure(browser, portal, ""),
            "floor": lambda: measure_floor(cluster, bare, image, options.cpus),
        }
        return rounds(systems, options.runs)


def report(results: dict[str, list[Launch]], options: argparse.Namespace) -> None:
    """Print the section."""
    rows: list[list[object]] = []
    for name, launches in results.items():
        frames = [one.frame_s for one in launches]
        rows.append([LABELS[name], min(frames), percentile(frames, 0.5), percentile(frames, 0.95)])
    middle = {name: median(one.frame_s for one in launches) for name, launches in results.items()}
    least = {name: min(one.frame_s for one in launches) for name, launches in results.items()}
    section(
        "Pods: click to desktop",
        "make bench-pods",
        f"{options.runs} launches of PyMca each, in turn, after one uncounted, on one cluster whose node has the"
        f" image; each pod may use {options.cpus:g} processors. The"
        " bare pod is created at the API server, without volumes, Secrets and policies, and has nothing but the X"
        " server, the window manager and PyMca; its client asks the API server for its address and connects to the X"
        " server.",
        table(["system", "frame min s", "frame p50 s", "frame p95 s"], rows),
        "\n".join(
            [
                goal_max("first frame p50, ours to a bare pod", middle["ours"] / middle["floor"], WANTED),
                f"- first frame, minimum, ours to a bare pod: {least['ours'] / least['floor']:.2f}.",
            ]
        ),
    )


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="counted launches of each")
    parser.add_argument("--cpus", type=float, default=CPUS, help="processors of each pod, at most")
    options = parser.parse_args()
    os.environ.pop("DISPLAY", None)
    report(run(options), options)


if __name__ == "__main__":
    main()
