"""A thousand web sockets through the node proxy, and through Traefik where there is one.

    python -m benchmarks.proxies [--traefik PROGRAM]

One program answers every message; another opens the sockets, of which each sends 1 kB a second. Directly and through
each proxy in turn, in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import requests
from aiohttp import web

from .cluster_hubs import node_modules
from .machine import median, progress, section, spread, spread_head, table
from .peer import path_with_node
from .processes import cpu_seconds, nothing_left_behind, pss_mib
from .service import Service, free_ports, state_folder

SOCKETS, SECONDS, ROUNDS, BYTES = 1000, 15.0, 3, 1024
DIRECT, NODE, TRAEFIK = "no proxy", "configurable-http-proxy", "Traefik"
PATH = "/user/somebody/session/"
#: The route of one session, as `jupyterhub-traefik-proxy` writes it for the file provider.
ROUTES = """\
http:
  routers: {{session: {{rule: "PathPrefix(`/`)", service: session, entryPoints: [web]}}}}
  services: {{session: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{port}"}}]}}}}}}
"""


@dataclass(frozen=True)
class Round:
    """A thousand sockets on one way: milliseconds of each message, and what the proxy used."""

    took: list[float]
    messages_s: float
    cpu_us: float
    idle_mib: float
    mib: float


async def _echo(request: web.Request) -> web.WebSocketResponse:
    answer = web.WebSocketResponse(compress=False)
    await answer.prepare(request)
    async for message in answer:
        await answer.send_bytes(message.data)
    return answer


def serve(port: int) -> None:
    """Answer every message, until the end."""
    application = web.Application()
    application.router.add_get("/{path:.*}", _echo)
    web.run_app(application, host="127.0.0.1", port=port, print=None, access_log=None, backlog=2048)


async def _talk(socket: aiohttp.ClientWebSocketResponse, until: float, took: list[float]) -> None:
    """Send a message a second, at a moment of its own."""
    body = os.urandom(BYTES)
    await asyncio.sleep(secrets.randbelow(1000) / 1000)
    while time.monotonic() < until:
        began = time.perf_counter()
        await socket.send_bytes(body)
        await socket.receive_bytes()
        passed = time.perf_counter() - began
        took.append(passed * 1000)
        await asyncio.sleep(max(0.0, 1.0 - passed))


async def measure(port: int, pid: int, sockets: int, seconds: float) -> Round:
    """Open the sockets, and let them client."""
    before = pss_mib(pid) if pid else 0.0
    connector = aiohttp.TCPConnector(limit=0)
    took: list[float] = []
    async with aiohttp.ClientSession(connector=connector) as http:
        opened: list[aiohttp.ClientWebSocketResponse] = []
        for _ in range(sockets):
            opened.append(await http.ws_connect(f"http://127.0.0.1:{port}{PATH}", compress=0))
        used, began = cpu_seconds(pid) if pid else 0.0, time.monotonic()
        await asyncio.gather(*(_talk(one, began + seconds, took) for one in opened))
        passed = time.monotonic() - began
        used = (cpu_seconds(pid) if pid else 0.0) - used
        held = pss_mib(pid) if pid else 0.0
        await asyncio.gather(*(one.close() for one in opened))
    return Round(took, len(took) / passed, used / len(took) * 1e6, before, held)


@contextmanager
def backend(state: Path) -> Iterator[int]:
    """Run the program that answers; its port."""
    port = free_ports(1)[0]
    service = Service(state)
    root = Path(__file__).resolve().parents[1]
    service.run([sys.executable, "-m", "benchmarks.proxies", "--serve", str(port)], {}, root)
    try:
        wait_for_port(port)
        yield port
    finally:
        service.stop()


def wait_for_port(port: int) -> None:
    """Wait until something answers at a port, whatever it says."""
    until = time.monotonic() + 60
    while True:
        try:
            requests.get(f"http://127.0.0.1:{port}/", timeout=5)
        except requests.RequestException:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def node_proxy(state: Path, target: int) -> Iterator[tuple[int, int]]:
    """Run the node proxy with one route; its port and its process."""
    port, api = free_ports(2)
    token = secrets.token_hex(16)
    service = Service(state)
    service.name = "node-proxy"
    command = [str(node_modules() / "configurable-http-proxy"), "--ip", "127.0.0.1", "--port", str(port)]
    command += ["--api-ip", "127.0.0.1", "--api-port", str(api), "--log-level", "error"]
    service.run(command, {"CONFIGPROXY_AUTH_TOKEN": token, "PATH": path_with_node()}, state)
    try:
        wait_for_port(api)
        answer = requests.post(
            f"http://127.0.0.1:{api}/api/routes/user/somebody/session", json={"target": f"http://127.0.0.1:{target}"},
            headers={"Authorization": f"token {token}"}, timeout=10,
        )  # fmt: skip
        answer.raise_for_status()
        yield port, service.pid
    finally:
        service.stop()


@contextmanager
def traefik(state: Path, program: str, target: int) -> Iterator[tuple[int, int]]:
    """Run Traefik with one route; its port and its process."""
    port = free_ports(1)[0]
    routes = state / "routes.yaml"
    routes.write_text(ROUTES.format(port=target))
    service = Service(state)
    service.name = "traefik"
    options = [f"--entryPoints.web.address=127.0.0.1:{port}", f"--providers.file.filename={routes}"]
    service.run([program, *options, "--log.level=ERROR", "--global.checkNewVersion=false"], {}, state)
    try:
        wait_for_port(port)
        yield port, service.pid
    finally:
        service.stop()


def version_of(program: str) -> str:
    """Return what a program says of its version, on one line."""
    ran = subprocess.run([program, "version"], capture_output=True, text=True, check=True)
    return " ".join(ran.stdout.split())


def report(rounds: dict[str, list[Round]], options: argparse.Namespace) -> None:
    """Print the section."""
    rows: list[list[object]] = []
    for name, done in rounds.items():
        took = [one for each in done for one in each.took]
        figures: list[object] = [*spread(took)]
        own = [
            median(one.cpu_us for one in done),
            median(one.idle_mib for one in done),
            median(one.mib for one in done),
        ]
        rows.append(
            [name, median(one.messages_s for one in done), *figures, *(own if name != DIRECT else ["", "", ""])]
        )
    section(
        f"Proxies: {options.sockets:,} web sockets",
        "make bench-proxies",
        f"{options.sockets:,} sockets, each with a message of {BYTES} bytes a second and its answer,"
        f" {options.seconds:g} s; medians of {options.rounds} rounds in turn. Client, proxy and the program that"
        " answers share the processors. Processor time is the proxy's, of a message and its answer."
        + (f" {version_of(options.traefik)}." if options.traefik else ""),
        table(
            ["way", "messages/s", *spread_head("there and back ms"), "processor us",
             "MiB between the rounds", "MiB with them"],
            rows,
        ),
    )  # fmt: skip


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=SOCKETS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--traefik", metavar="PROGRAM", help="also measure this Traefik v3")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    with ExitStack() as stack:
        stack.enter_context(nothing_left_behind())
        state = stack.enter_context(state_folder())
        target = stack.enter_context(backend(state))
        ways = {DIRECT: (target, 0), NODE: stack.enter_context(node_proxy(state, target))}
        if options.traefik:
            ways[TRAEFIK] = stack.enter_context(traefik(state, options.traefik, target))
        rounds: dict[str, list[Round]] = {name: [] for name in ways}
        for number in range(options.rounds):
            names = list(ways)[number % len(ways) :] + list(ways)[: number % len(ways)]
            for name in names:
                done = asyncio.run(measure(*ways[name], options.sockets, options.seconds))
                rounds[name].append(done)
                progress(f"round {number} {name}: {median(done.took):.2f} ms, {done.cpu_us:.0f} us")
    report(rounds, options)


if __name__ == "__main__":
    main()
