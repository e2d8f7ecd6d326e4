"""What one RFB path carries: updates a second, key echo, raw throughput, and the processor time each hop pays."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .machine import percentile
from .painter import ANSWER, PLAY, STOP
from .processes import cpu_seconds
from .rfb import NOVNC_TIGHT, PLAIN_RAW, RfbClient
from .streams import ByteStream

WIDTH, HEIGHT = 1680, 1050
ECHO_KEY = 0x61
QUIET_S = 0.3
PAUSE_BETWEEN_KEYS_S = (0.02, 0.04)


@dataclass(frozen=True)
class Flow:
    """A stretch of updates: how many, how much, how long, and the processor seconds of each process meanwhile."""

    updates: int
    pixels: int
    size: int
    seconds: float
    cpu: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Updates a second."""
        return self.updates / self.seconds

    @property
    def screens(self) -> float:
        """Whole screens a second, by pixels.

        Where a request arrives between two frames, Xvnc answers with an update that repeats a strip of the last frame
        without loss (or with none). They are updates, but no frames; a faster client gets more of them.
        """
        return self.pixels / (WIDTH * HEIGHT) / self.seconds

    @property
    def throughput(self) -> float:
        """Megabytes a second."""
        return self.size / self.seconds / 1e6

    def cpu_per_gb(self, who: str) -> float:
        """Processor seconds ``who`` used for 10^9 bytes."""
        return self.cpu[who] / self.size * 1e9


@dataclass(frozen=True)
class Round:
    """One round over one path."""

    tight: Flow
    raw: Flow
    keys_ms: tuple[float, ...]

    def key(self, share: float) -> float:
        """A percentile of the key echo, in milliseconds."""
        return percentile(self.keys_ms, share)


def measure_round(
    connect: Callable[[], ByteStream], processes: Mapping[str, list[int]], seconds: float, keys: int
) -> Round:
    """Measure one path once; ``processes`` are those whose processor time is charged, by what they are called."""
    client = RfbClient(connect())
    try:
        client.resize(WIDTH, HEIGHT)
        tight = _flow(client, NOVNC_TIGHT, processes, seconds)
        _drain(client)
        echo = _echo(client, keys)
        raw = _flow(client, PLAIN_RAW, processes, seconds)
        _drain(client)
    finally:
        client.close()
    return Round(tight, raw, echo)


@dataclass(frozen=True)
class Far:
    """One round over a slow path: raw pixels would only measure its rate."""

    flow: Flow
    keys_ms: tuple[float, ...]


def measure_far(connect: Callable[[], ByteStream], seconds: float, keys: int) -> Far:
    """Measure keys and compressed updates of one path once.

    The keys first: from far away, Xvnc refines for minutes what it has sent with losses.
    """
    client = RfbClient(connect())
    try:
        client.resize(WIDTH, HEIGHT)
        client.read_screen()
        client.set_encodings(NOVNC_TIGHT)
        client.request(incremental=True)
        echo = _echo(client, keys)
        flow = _flow(client, NOVNC_TIGHT, {}, seconds)
        # the key that stops the painter has to arrive, too
        _drain(client, 1)
        return Far(flow, echo)
    finally:
        client.close()


def _flow(client: RfbClient, encodings: tuple[int, ...], processes: Mapping[str, list[int]], seconds: float) -> Flow:
    """Let the painter play, ask for one update after the other, and count; half a second of run-up is not counted."""
    client.set_encodings(encodings)
    client.press(PLAY)
    client.request(incremental=False)
    _pump(client, 0.5)
    size, before, began = client.stream.received_bytes, _cpu(processes), time.perf_counter()
    updates, pixels = _pump(client, seconds)
    took, after = time.perf_counter() - began, _cpu(processes)
    size = client.stream.received_bytes - size
    client.press(STOP)
    return Flow(updates, pixels, size, took, {who: after[who] - before[who] for who in processes})


def _pump(client: RfbClient, seconds: float) -> tuple[int, int]:
    """Answer every update with the next request; return how many updates came, and their pixels."""
    end, updates, pixels = time.perf_counter() + seconds, 0, 0
    while time.perf_counter() < end:
        pixels += client.read_update().pixels
        client.request(incremental=True)
        updates += 1
    return updates, pixels


def _drain(client: RfbClient, seconds: float = math.inf) -> None:
    """Read updates until the screen is quiet, for this many seconds at most; one request stays open at the server."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and client.stream.has_more(QUIET_S):
        client.read_update()
        client.request(incremental=True)


def _echo(client: RfbClient, keys: int) -> tuple[float, ...]:
    """Press ``keys`` keys; each time, in milliseconds, is from the press to the whole update that answers it.

    Other updates may come before it, because Xvnc refines what it has sent with losses. The pauses between the keys are
    of random length, so that no key waits for the same beat of the server's frame clock.
    """
    times, pauses = [], random.Random(keys)
    for _ in range(keys):
        began = time.perf_counter()
        client.press(ECHO_KEY)
        while ANSWER not in client.read_update().rectangles:
            client.request(incremental=True)
        times.append((time.perf_counter() - began) * 1000)
        client.request(incremental=True)
        time.sleep(pauses.uniform(*PAUSE_BETWEEN_KEYS_S))
    return tuple(times)


def _cpu(processes: Mapping[str, list[int]]) -> dict[str, float]:
    return {who: sum(cpu_seconds(pid) for pid in pids) for who, pids in processes.items()}
