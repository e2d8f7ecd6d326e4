"""A slow, distant link between this machine and a network namespace: a delay, a rate and a queue in each direction.

Two tun devices, one of them in the namespace, and a process that carries the packets between them. `tc netem` does the
same in kernels that have it; tun devices are in nearly all. Needs root.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
MTU = 1500
#: Of the networks for benchmarks (RFC 2544): nothing else uses them.
NEAR, FAR = "198.18.0.1", "198.18.0.2"
#: Twice what is on the way at 20 Mbit/s and 50 ms, as a router might hold.
QUEUE_BYTES = 250_000
Result = TypeVar("Result")


@dataclass(frozen=True)
class Distance:
    """How far away the other end is."""

    round_trip_s: float
    bits_s: float

    def __str__(self) -> str:
        return f"{self.round_trip_s * 1000:g} ms and {self.bits_s / 1e6:g} Mbit/s"


class Direction:
    """The packets on their way from one device to the other."""

    def __init__(self, source: int, target: int, distance: Distance) -> None:
        self.source = source
        self._target = target
        self._delay_s = distance.round_trip_s / 2
        self._byte_s = 8 / distance.bits_s
        self._free_at = 0.0
        self._waiting: deque[tuple[float, bytes]] = deque()

    def accept(self, packet: bytes, now: float) -> None:
        """Take a packet; it is lost if the queue in front of the link is full."""
        begins = max(now, self._free_at)
        if (begins - now) / self._byte_s > QUEUE_BYTES:
            return
        self._free_at = begins + len(packet) * self._byte_s
        self._waiting.append((self._free_at + self._delay_s, packet))

    def deliver(self, now: float) -> None:
        """Hand over the packets that have arrived."""
        while self._waiting and self._waiting[0][0] <= now:
            os.write(self._target, self._waiting.popleft()[1])

    def next_arrival(self) -> float:
        """Return when the next packet arrives; infinity without one."""
        return self._waiting[0][0] if self._waiting else float("inf")


def carry(near: int, far: int, distance: Distance) -> None:
    """Carry packets between two tun devices until the process ends."""
    directions = (Direction(near, far, distance), Direction(far, near, distance))
    while True:
        now = time.monotonic()
        for direction in directions:
            direction.deliver(now)
        due = min(direction.next_arrival() for direction in directions)
        timeout = None if due == float("inf") else max(0.0, due - time.monotonic())
        readable, _, _ = select.select([near, far], [], [], timeout)
        for direction in directions:
            if direction.source in readable:
                direction.accept(os.read(direction.source, MTU), time.monotonic())


class Link:
    """A namespace at a distance; leaving the context removes it."""

    def __init__(self, distance: Distance) -> None:
        self._distance = distance
        self.namespace = f"daas-far-{os.getpid()}"
        self._stack = ExitStack()
        self._ends = (-1, -1)
        self._carrier: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Link:
        """Make the namespace and both devices, and carry packets between them."""
        with ExitStack() as stack:
            _run("ip", "netns", "add", self.namespace)
            stack.callback(_run, "ip", "netns", "del", self.namespace)
            near, far = (stack.enter_context(os.fdopen(_tun(name), "rb+", 0)) for name in ("daasnear", "daasfar"))
            _run("ip", "addr", "add", NEAR, "peer", FAR, "dev", "daasnear")
            _run("ip", "link", "set", "daasnear", "up", "mtu", str(MTU))
            _run("ip", "link", "set", "daasfar", "netns", self.namespace)
            inside = ("ip", "-n", self.namespace)
            _run(*inside, "link", "set", "lo", "up")
            _run(*inside, "addr", "add", FAR, "peer", NEAR, "dev", "daasfar")
            _run(*inside, "link", "set", "daasfar", "up", "mtu", str(MTU))
            self._ends = (near.fileno(), far.fileno())
            stack.callback(self._stop)
            self.set_distance(self._distance)
            self._stack = stack.pop_all()
        return self

    def set_distance(self, distance: Distance) -> None:
        """Move the far end; connections stay, and what is on the way is lost."""
        self._stop()
        figures = (*self._ends, distance.round_trip_s, distance.bits_s)
        # at a higher priority: a late packet would be a longer link
        command = ["nice", "-n", "-10", sys.executable, "-m", "benchmarks.link", *map(str, figures)]
        self._carrier = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1], pass_fds=self._ends)

    def _stop(self) -> None:
        if self._carrier is not None:
            self._carrier.kill()
            self._carrier.wait()
            self._carrier = None

    def __exit__(self, *_: object) -> None:
        """Remove all of it."""
        self._stack.close()

    def command(self, *command: str) -> list[str]:
        """Return a command that runs this one at the far end."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *command]

    def at_the_far_end(self, connect: Callable[[], Result]) -> Result:
        """Return what ``connect`` returns in the namespace; sockets that it opens stay there."""
        results: list[Result] = []

        def call() -> None:
            # a namespace is a thread's own
            with open(f"/run/netns/{self.namespace}") as there:
                if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "cannot enter the namespace")
            results.append(connect())

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        if not results:
            raise ConnectionError("no connection from the far end")
        return results[0]


def _tun(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, name.encode().ljust(16, b"\0") + (IFF_TUN | IFF_NO_PI).to_bytes(2, "little") + bytes(22))
    return fd


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    carry(int(sys.argv[1]), int(sys.argv[2]), Distance(float(sys.argv[3]), float(sys.argv[4])))
