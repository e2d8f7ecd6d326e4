"""A thousand sessions, each with an open web socket, for ten minutes: what hub and proxy hold, minute by minute.

    python -m benchmarks.sockets [--minutes 60]

The hub, the node proxy and the records are those of a portal; the sessions are light. Each socket carries a message of
100 bytes and its echo every five seconds, and each session reports its activity every minute. Of each minute the least
of what was held counts: a report that is under way has a descriptor, and memory that is not collected yet is no leak.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from .light_hub import SERVER, LightHub, light_hub, name_of
from .machine import goal_max, progress, section, table
from .processes import anonymous_mib, nothing_left_behind

SESSIONS, MINUTES, EVERY_S, BYTES = 1000, 10, 5.0, 100
#: The first minutes fill caches.
SETTLED = 2
#: Seconds between two readings of a minute.
READ_EVERY_S = 2.0
#: What is flat: growth from the second minute to the last.
WANTED_MIB, WANTED_DESCRIPTORS = 5.0, 10


@dataclass(frozen=True)
class Minute:
    """The least that hub and proxy held in a minute, the fewest open sockets, and what came over them."""

    hub_mib: float
    proxy_mib: float
    hub_descriptors: int
    proxy_descriptors: int
    echoes: int
    open_sockets: int
    load: float


class Sockets:
    """The open sockets, one for each session."""

    def __init__(self) -> None:
        self.echoes = 0
        self.open = 0

    async def talk(self, http: aiohttp.ClientSession, url: str) -> None:
        """Send a message every few seconds, and read its echo, until this is cancelled or the socket is closed."""
        body = os.urandom(BYTES)
        async with http.ws_connect(url, compress=0) as socket:
            self.open += 1
            try:
                await asyncio.sleep(EVERY_S * secrets.randbelow(1000) / 1000)
                while await self._is_echoed(socket, body):
                    self.echoes += 1
                    await asyncio.sleep(EVERY_S)
            finally:
                self.open -= 1

    @staticmethod
    async def _is_echoed(socket: aiohttp.ClientWebSocketResponse, body: bytes) -> bool:
        """Send a message; return False if the socket is closed."""
        try:
            await socket.send_bytes(body)
        except ConnectionError:
            return False
        answer = await socket.receive()
        if answer.type is aiohttp.WSMsgType.BINARY and answer.data != body:
            raise RuntimeError("another message came back")
        return answer.type is aiohttp.WSMsgType.BINARY


def descriptors_of(pid: int) -> int:
    """Return how many files, sockets and pipes a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _minute(hub: int, proxy: int, sockets: Sockets, seconds: float) -> Minute:
    """Read again and again for this time, and return the least of each figure."""
    before, until = sockets.echoes, time.monotonic() + seconds
    read = [_read(hub, proxy, sockets)]
    while time.monotonic() < until:
        await asyncio.sleep(READ_EVERY_S)
        # reading maps takes the kernel milliseconds, in which the sockets of this program would wait
        read.append(await asyncio.to_thread(_read, hub, proxy, sockets))
    hub_mib, proxy_mib, hub_descriptors, proxy_descriptors, still_open = (min(one) for one in zip(*read, strict=True))
    return Minute(
        hub_mib, proxy_mib, int(hub_descriptors), int(proxy_descriptors), sockets.echoes - before, int(still_open),
        os.getloadavg()[0],
    )  # fmt: skip


def _read(hub: int, proxy: int, sockets: Sockets) -> tuple[float, ...]:
    return anonymous_mib(hub), anonymous_mib(proxy), descriptors_of(hub), descriptors_of(proxy), sockets.open


async def measure(hub: LightHub, sessions: int, minutes: int) -> list[Minute]:
    """Open a socket to each session, and read what is held after each minute."""
    held, sockets = [], Sockets()
    hub_pid, proxy_pid = hub.hub_process(), hub.proxy
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        url = hub.portal.url.replace("http", "ws", 1)
        async with asyncio.TaskGroup() as group:
            talks = [
                group.create_task(sockets.talk(http, f"{url}/user/{name_of(number)}/{SERVER}/socket"))
                for number in range(sessions)
            ]
            while sockets.open < sessions:  # noqa: ASYNC110  # each task opens its own
                await asyncio.sleep(0.2)
            for minute in range(minutes + 1):
                held.append(await _minute(hub_pid, proxy_pid, sockets, 60 if minute else 5))
                progress(f"minute {minute}: {held[-1]}")
            for one in talks:
                one.cancel()
    return held


def report(held: list[Minute], sessions: int) -> None:
    """Print the section."""
    settled, last = held[min(SETTLED, len(held) - 1)], held[-1]
    rows: list[list[object]] = [
        [
            minute, one.open_sockets, one.echoes, one.hub_mib, one.hub_descriptors, one.proxy_mib,
            one.proxy_descriptors, one.load,
        ]
        for minute, one in enumerate(held)
    ]  # fmt: skip
    section(
        f"{sessions:,} sessions with open web sockets",
        f"make bench-sockets ARGS='--sessions {sessions} --minutes {len(held) - 1}'",
        f"One socket for each session through the node proxy, with a message of {BYTES} bytes and its echo every"
        f" {EVERY_S:g} s; each session reports its activity to the hub every minute. Memory is what a process has"
        f" allocated (its anonymous pages). Each figure is the least of its minute, read every {READ_EVERY_S:g} s."
        f" Growth is counted from minute {SETTLED} on.",
        table(
            ["minute", "open sockets", "echoes", "hub MiB", "hub descriptors", "proxy MiB", "proxy descriptors",
             "load"],
            rows,
        ),
        "\n".join(
            [
                goal_max("growth of the hub, MiB", last.hub_mib - settled.hub_mib, WANTED_MIB),
                goal_max("growth of the proxy, MiB", last.proxy_mib - settled.proxy_mib, WANTED_MIB),
                goal_max(
                    "growth of descriptors, hub and proxy",
                    max(
                        last.hub_descriptors - settled.hub_descriptors,
                        last.proxy_descriptors - settled.proxy_descriptors,
                    ),
                    WANTED_DESCRIPTORS,
                ),
                goal_max("sockets that were closed", sessions - last.open_sockets, 0),
            ]
        ),
    )  # fmt: skip


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--minutes", type=int, default=MINUTES)
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(nothing_left_behind())
        hub = stack.enter_context(light_hub(options.sessions))
        hub.start_sessions(options.sessions)
        progress(f"{len(hub.known())} sessions")
        held = asyncio.run(measure(hub, options.sessions, options.minutes))
    report(held, options.sessions)


if __name__ == "__main__":
    main()
