"""How fast passwords may be guessed: less and less, for one name and from one address. Pure but for its memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: A guess is forgotten after this.
FORGOTTEN_S = 3600.0
#: Nobody waits longer than this.
LONGEST_S = 900.0
#: So many names and addresses are remembered, each; the one that was quiet longest goes first.
MAX_KEYS = 20_000


@dataclass
class _Tries:
    failed: int = 0
    last: float = 0.0


class _Memory:
    """The failures of names, or of addresses; the first `free` of them cost nothing."""

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
    """Counts guesses, and tells how long the next one has to wait.

    Args:
        clock: seconds that never go back.
        free_of_name, free_of_address: so many failures cost nothing; after them the wait doubles with each. Many
            people may share an address.
    """

    def __init__(self, clock: Callable[[], float], *, free_of_name: int = 5, free_of_address: int = 30) -> None:
        self._clock = clock
        self._names, self._addresses = _Memory(free_of_name), _Memory(free_of_address)

    def begin(self, name: str, address: str) -> float:
        """Return the seconds to wait; 0 if this guess may be made, and then it counts as failed until it is taken back.

        So a hundred at the same moment are a hundred guesses, although none of them was answered yet.
        """
        now, name, address = self._clock(), name.casefold(), _place(address)
        wait = max(self._names.wait_s(name, now), self._addresses.wait_s(address, now))
        if wait <= 0:
            self._names.add(name, now)
            self._addresses.add(address, now)
        return wait

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of a name; those of its address stay: a name of one's own must not buy guesses."""
        self._names.tries.pop(name.casefold(), None)
        self._addresses.take_back(_place(address))

    def unanswered(self, name: str, address: str) -> None:
        """Take a guess back that nobody answered."""
        self._names.take_back(name.casefold())
        self._addresses.take_back(_place(address))

    def __len__(self) -> int:
        return len(self._names.tries) + len(self._addresses.tries)


def _place(address: str) -> str:
    """Return what one household or machine has: of IPv6 a whole network of 64 bits, out of which it can take any."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, 64), strict=False))
