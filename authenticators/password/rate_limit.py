"""Slows down the guessing of passwords, by name and by address. Pure except for its memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: Attempts are forgotten after this.
FORGOTTEN_S = 3600.0
#: The longest wait.
LONGEST_S = 900.0
#: Number of names, and of addresses, remembered; those without attempts for longest are dropped first.
MAX_KEYS = 20_000


@dataclass
class _Tries:
    failed: int = 0
    last: float = 0.0


class _Memory:
    """Failed attempts by name, or by address; the first `free` of them cause no wait."""

    def __init__(self, free: int) -> None:
        self._free = free
        self.tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait_s(self, key: str, now: float) -> float:
        tries = self.tries.get(key)
        if tries is None or now - tries.last > FORGOTTEN_S:
            return 0.0
        over = tries.failed - self._free
        delay = 0.0 if over < 0 else min(LONGEST_S, 2.0 ** min(over, 20))
        return max(0.0, tries.last + delay - now)

    def add(self, key: str, now: float) -> None:
        tries = self.tries.pop(key, None) or _Tries()
        if now - tries.last > FORGOTTEN_S:
            tries.failed = 0
        self.tries[key] = _Tries(tries.failed + 1, now)
        while len(self.tries) > MAX_KEYS:
            self.tries.popitem(last=False)

    def take_back(self, key: str) -> None:
        if key in self.tries:
            self.tries[key].failed = max(0, self.tries[key].failed - 1)


class AttemptLimiter:
    """Counts attempts, and returns how long the next one has to wait.

    Args:
        clock: monotonic seconds.
        free_of_name, free_of_address: failures that cause no wait; each further one doubles it. An address may be
            shared by many people.
    """

    def __init__(self, clock: Callable[[], float], *, free_of_name: int = 5, free_of_address: int = 30) -> None:
        self._clock = clock
        self._names, self._addresses = _Memory(free_of_name), _Memory(free_of_address)

    def begin(self, name: str, address: str) -> float:
        """Return the seconds to wait; 0 if this attempt may be made. It counts as failed until taken back.

        So a hundred simultaneous attempts count as a hundred, although none of them has been answered yet.
        """
        now, name, address = self._clock(), name.casefold(), _client_network(address)
        wait = max(self._names.wait_s(name, now), self._addresses.wait_s(address, now))
        if wait <= 0:
            self._names.add(name, now)
            self._addresses.add(address, now)
        return wait

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of a name. Those of its address stay: an account of one's own must not buy attempts."""
        self._names.tries.pop(name.casefold(), None)
        self._addresses.take_back(_client_network(address))

    def unanswered(self, name: str, address: str) -> None:
        """Take back an attempt that got no answer."""
        self._names.take_back(name.casefold())
        self._addresses.take_back(_client_network(address))

    def __len__(self) -> int:
        return len(self._names.tries) + len(self._addresses.tries)


def _client_network(address: str) -> str:
    """Return what one client controls: of IPv6 a network of 64 bits, from which it can use any address."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, 64), strict=False))
