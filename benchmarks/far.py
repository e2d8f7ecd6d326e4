"""The portal from far away: click to frame, key echo and update rate at 50 ms and 20 Mbit/s, with TLS.

Ours, an older checkout, the stock stack, and an X server without hub, browser and TLS, all over the same link in turn.
Needs root, nginx and Chromium.
"""

from __future__ import annotations

import argparse
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page

from .browser import Launch, Site, measure
from .far_sites import BLOCK, Certificate, FarPeer, FarPortal, Front, far_chromium
from .floor import Floor
from .link import NEAR, Distance, Link
from .machine import goal_max, median, percentile, progress, section, spread, spread_head, table
from .opened import launch_and_leave
from .path import PAINTER, painter_application
from .pixels import HEIGHT, WIDTH, Far, measure_far
from .portal import add_before
from .processes import nothing_left_behind
from .rfb import RfbClient
from .round_trips import Crossing, Recorder
from .service import state_folder
from .streams import ByteStream, open_tcp, open_unix, open_websocket

OURS, BEFORE, STOCK, BARE = "ours", "ours, before", "stock peer", "bare X server"
WANTED_ROUND_TRIPS = 0.5
PIECE_BYTES = 1 << 18


@dataclass
class Measured:
    """What was measured of one system."""

    far: list[float] = field(default_factory=list)
    near: list[float] = field(default_factory=list)
    path: list[Crossing] = field(default_factory=list)
    flows: list[Far] = field(default_factory=list)

    @property
    def keys_ms(self) -> list[float]:
        """How long each key took, in all rounds."""
        return [key for done in self.flows for key in done.keys_ms]

    @property
    def rates(self) -> list[float]:
        """Updates a second, of each round."""
        return [done.flow.rate for done in self.flows]

    @property
    def by_the_clock(self) -> float:
        """What the distance adds to a launch, in seconds: of the minima, which other programs disturb least."""
        return min(self.far) - min(self.near)


@contextmanager
def forward(target: Path) -> Iterator[int]:
    """Let the link's far end reach a unix socket; yield the port."""
    with socket.create_server((NEAR, 0)) as server:
        threading.Thread(target=_accept, args=(server, target), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket, target: Path) -> None:
    with suppress(OSError):
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            screen = _open(target)
            for source, sink in ((client, screen), (screen, client)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _open(target: Path, timeout_s: float = 30) -> socket.socket:
    """Connect as soon as the X server listens."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            screen = open_unix(target).release()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)
            continue
        screen.settimeout(None)
        return screen


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


def launch_bare(state: Path, application: str, link: Link) -> Launch:
    """Start a bare desktop; the first frame is the first update with light in it at a client at the far end."""
    began = time.time()
    with Floor(state, application) as floor, forward(floor.socket) as port:
        client = RfbClient(link.at_the_far_end(lambda: open_tcp(NEAR, port)))
        # a whole screen without compression would take seconds
        client.wait_for_light(row=client.height // 2)
        frame = time.time()
        client.close()
    return Launch(frame - began, frame - began)


def launch_site(browser: Browser, site: Site, path: list[Crossing], round_trip_s: float) -> Launch:
    """Launch on a hub; replace ``path`` by what the frame waited for."""
    recorders: list[Recorder] = []

    def watch(page: Page) -> None:
        recorders.append(Recorder(page, round_trip_s))

    launch = measure(browser, site, "", watch=watch)
    path[:] = recorders[0].critical_path(launch.clicked, launch.clicked + launch.frame_s)
    return launch


class Sites:
    """The hubs that are measured, each with a front of its own."""

    def __init__(self, stack: ExitStack, state: Path, options: argparse.Namespace) -> None:
        self._stack, self._state, self._options = stack, state, options
        self.certificate = Certificate(state / "tls")

    def start(self, application: str, command: str, catalogue: str = "") -> dict[str, FarPortal | FarPeer]:
        """Start ours, the older one and the stock one."""
        options = self._options
        sites: dict[str, FarPortal | FarPeer] = {}
        checkouts = {OURS: None} | ({BEFORE: options.before} if options.before else {})
        for name, checkout in checkouts.items():
            folder = self._folder(name)
            block = BLOCK if checkout is None or not options.before_block else options.before_block
            front = Front(folder, self.certificate, block)
            portal = FarPortal(folder, application, front, proposal=options.proposal, checkout=checkout)
            if catalogue:
                portal.add_to_catalogue(catalogue)
            sites[name] = self._stack.enter_context(portal)
        if not options.no_peer:
            folder = self._folder(STOCK)
            sites[STOCK] = self._stack.enter_context(FarPeer(folder, command, Front(folder, self.certificate)))
        return sites

    def _folder(self, name: str) -> Path:
        folder = self._state / name.replace(" ", "-").replace(",", "")
        folder.mkdir()
        folder.chmod(0o755)
        return folder


def launches(options: argparse.Namespace, link: Link, state: Path) -> dict[str, Measured]:
    """Launch on each system in turn, over the distance and without it; the first round warms up."""
    with ExitStack() as stack:
        sites = Sites(stack, state, options)
        started = sites.start(options.name, options.command)
        browser = stack.enter_context(far_chromium(link, sites.certificate, state))
        results = {name: Measured() for name in [*started, BARE]}
        trip = options.distance.round_trip_s
        systems: dict[str, Callable[[], Launch]] = {
            name: lambda site=site, path=results[name].path: launch_site(browser, site, path, trip)
            for name, site in started.items()
        }
        systems[BARE] = lambda: launch_bare(state, options.command, link)
        for number in range(options.runs + 1):
            for distance, is_far in ((options.here, False), (options.distance, True)):
                link.set_distance(distance)
                for name, launch in systems.items():
                    seconds = launch().frame_s
                    progress(f"round {number} {name}, {distance}: frame {seconds:.2f} s")
                    if number:
                        (results[name].far if is_far else results[name].near).append(seconds)
    return results


def flows(options: argparse.Namespace, link: Link, state: Path, results: Mapping[str, Measured]) -> None:
    """Measure keys and updates of each system in turn; the first round warms up."""
    with ExitStack() as stack:
        sites = Sites(stack, state, options)
        link.set_distance(options.here)
        started = sites.start("painter", f"/usr/bin/python3 {PAINTER}", painter_application())
        ways: dict[str, Callable[[], ByteStream]] = {}
        with far_chromium(link, sites.certificate, state) as browser:
            for name, site in started.items():
                address, cookies = launch_and_leave(browser, site)
                path, front = site.screen_path(address), site.front
                ways[name] = lambda path=path, port=front.port, cookies=cookies: open_websocket(
                    NEAR, port, path, {"Cookie": cookies}, tls=sites.certificate.context
                )
        floor = stack.enter_context(Floor(state, f"/usr/bin/python3 {PAINTER}"))
        port = stack.enter_context(forward(floor.socket))
        ways[BARE] = lambda: open_tcp(NEAR, port)
        link.set_distance(options.distance)
        for number in range(options.rounds + 1):
            for name, way in ways.items():
                done = measure_far(lambda way=way: link.at_the_far_end(way), options.seconds, options.keys)
                progress(f"round {number} {name}: key {median(done.keys_ms):.1f} ms, {done.flow.rate:.1f} updates/s")
                if number:
                    results[name].flows.append(done)


def report(options: argparse.Namespace, results: Mapping[str, Measured]) -> None:
    """Print the section."""
    trip = options.distance.round_trip_s
    frames = [
        [name, *spread(one.far), *spread(one.near), "" if name == BARE else one.by_the_clock / trip]
        for name, one in results.items()
    ]
    streams = [[name, *spread(one.keys_ms), *spread(one.rates)] for name, one in results.items()]
    paths = [
        [name, f"`{step.name}`", step.reason, step.begin * 1000, (step.end - step.begin) * 1000, step.round_trips]
        for name, one in results.items()
        for step in one.path
    ]
    counted = {name: sum(step.round_trips for step in one.path) for name, one in results.items()}
    verdicts = [f"- round trips on the list, {name}: {count}." for name, count in counted.items() if count]
    if BEFORE in results:
        clock = results[OURS].by_the_clock / results[BEFORE].by_the_clock
        verdicts.append(goal_max("round trips by the clock, ours to before", clock, WANTED_ROUND_TRIPS))
        listed = counted[OURS] / counted[BEFORE]
        verdicts.append(goal_max("round trips on the list, ours to before", listed, WANTED_ROUND_TRIPS))
    ours, bare = results[OURS], results[BARE]
    if ours.flows:
        echo = percentile(ours.keys_ms, 0.95) / percentile(bare.keys_ms, 0.95)
        rate = median(ours.rates) / median(bare.rates)
        verdicts.append(f"- ours to the bare X server: key echo p95 {echo:.2f}, updates/s p50 {rate:.2f}.")
    section(
        "Far away",
        "make bench-far",
        f"{options.runs} launches of `{options.command}` over each distance, in turn, after one uncounted; headless "
        f"Chromium at the far end of a link of {options.distance}, nginx with `deploy/nginx/daas-hub.conf` and TLS at "
        "the near end. A launch begins with the click, in a browser that shows the page with the button. *Round trips* "
        "is what the distance adds to the minimum, divided by one round trip. The bare X server is started by the "
        "click, without a hub, and its client, without TLS, is no browser.",
        table(["system", *spread_head("frame far s"), *spread_head("near s"), "round trips"], frames),
        f"{options.rounds} rounds in turn, {options.keys} keys each, then {options.seconds:g} s of a painter of 60 "
        f"whole frames of {WIDTH}x{HEIGHT} a second, one request for each update, Tight:",
        table(["system", *spread_head("key echo ms"), *spread_head("updates/s")], streams),
        "What the frame waited for, in the last launch of each. A request on a new connection crosses the link once "
        "more for TCP, and once for TLS:",
        table(["system", "request", "for", "begins at ms", "takes ms", "round trips"], paths),
        "\n".join(verdicts),
    )


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="counted launches of each system over each distance")
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds of keys and updates")
    parser.add_argument("--seconds", type=float, default=5, help="length of each flow")
    parser.add_argument("--keys", type=int, default=40, help="keys pressed in a round")
    parser.add_argument("--delay", type=float, default=50, help="milliseconds of a round trip")
    parser.add_argument("--rate", type=float, default=20, help="Mbit/s in each direction")
    parser.add_argument("--name", default="pymca", help="the application's name in our catalogue")
    parser.add_argument("--command", default="pymca", help="the command that starts the same application")
    parser.add_argument("--proposal", help="the proposal to launch on (the first one listed)")
    parser.add_argument("--no-peer", action="store_true", help="leave the stock peer out")
    parser.add_argument("--no-flows", action="store_true", help="leave keys and updates out")
    add_before(parser)
    parser.add_argument("--before-block", type=Path, help="the nginx configuration in front of the older checkout")
    options = parser.parse_args()
    options.distance = Distance(options.delay / 1000, options.rate * 1e6)
    options.here = Distance(0.0, options.rate * 1e6)
    os.environ.pop("DISPLAY", None)
    with nothing_left_behind(), state_folder() as first, state_folder() as second, Link(options.distance) as link:
        results = launches(options, link, first)
        if not options.no_flows:
            flows(options, link, second, results)
    report(options, results)


if __name__ == "__main__":
    main()
