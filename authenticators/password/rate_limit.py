"""Slows down the guessing of passwords, by name and by address. Pure except for its memory.

A name has a budget of failures as well: a directory locks an account after some wrong passwords, for the whole
facility, and waiting between them does not prevent that.

Neither may lock out people. Behind an address with too many failures (a facility's proxy, a course), each name still
gets its turn, slowly. And a name that somebody else guesses signs in as usual where it has signed in before.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: Attempts are forgotten after this.
FORGOTTEN_S = 3600.0
#: The longest wait.
LONGEST_S = 900.0
#: The first wait of a name at an address with too many failures; the next ones double it.
TURN_S = 30.0
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


class _Budget:
    """Failed attempts by name, wherever they were made, until there was none for a while or one succeeded.

    A directory counts in the same way: its count starts again at 0 when the last failure is old enough.
    """

    def __init__(self, most: int, window_s: float) -> None:
        self._most = most
        self._window_s = window_s
        self.tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait_s(self, key: str, now: float, *, is_known: bool) -> float:
        """Return the wait; the last failure of the budget is for places where the name has signed in."""
        tries = self.tries.get(key)
        if tries is None or now - tries.last >= self._window_s:
            return 0.0
        limit = self._most if is_known else max(1, self._most - 1)
        return tries.last + self._window_s - now if tries.failed >= limit else 0.0

    def add(self, key: str, now: float) -> None:
        tries = self.tries.pop(key, None) or _Tries()
        failed = 0 if now - tries.last >= self._window_s else tries.failed
        self.tries[key] = _Tries(failed + 1, now)
        while len(self.tries) > MAX_KEYS:
            self.tries.popitem(last=False)

    def take_back(self, key: str) -> None:
        if key in self.tries:
            self.tries[key].failed = max(0, self.tries[key].failed - 1)


@dataclass
class _Turn:
    due: float
    taken: int = 0


class _Turns:
    """Names that wait at an exhausted address: each gets an attempt when its own wait is over, whatever others do."""

    def __init__(self) -> None:
        self.turns: OrderedDict[str, _Turn] = OrderedDict()

    def wait_s(self, key: str, longest: float, now: float) -> float:
        """Return the wait of a name's turn; the first request reserves it."""
        turn = self.turns.get(key)
        if turn is None or now - turn.due > FORGOTTEN_S:
            turn = self.turns[key] = _Turn(now + min(TURN_S, longest))
            while len(self.turns) > MAX_KEYS:
                self.turns.popitem(last=False)
        return max(0.0, turn.due - now)

    def take(self, key: str, now: float) -> None:
        """Use a turn; the next one is later."""
        turn = self.turns.get(key)
        if turn is not None:
            turn.taken += 1
            turn.due = now + min(LONGEST_S, TURN_S * 2.0 ** min(turn.taken, 20))


class AttemptLimiter:
    """Counts attempts, and returns how long the next one has to wait.

    Args:
        clock: monotonic seconds.
        free_of_name, free_of_address: failures that cause no wait; each further one doubles it. An address may be
            shared by many people.
        max_of_name, window_s: failures of a name in all places, until there was none for that long.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        free_of_name: int = 5,
        free_of_address: int = 30,
        max_of_name: int = 1_000_000,
        window_s: float = FORGOTTEN_S,
    ) -> None:
        self._clock = clock
        self._budget = _Budget(max_of_name, window_s)
        self._names, self._addresses = _Memory(free_of_name), _Memory(free_of_address)
        #: Names at an address where they have signed in, counted apart from those elsewhere.
        self._known = _Memory(free_of_name)
        self._signed_in: OrderedDict[str, None] = OrderedDict()
        self._turns = _Turns()

    def begin(self, name: str, address: str) -> float:
        """Return the seconds to wait; 0 if this attempt may be made. It counts as failed until taken back.

        So a hundred simultaneous attempts count as a hundred, although none of them has been answered yet.
        """
        now, name, address = self._clock(), name.casefold(), _client_network(address)
        here = _at(name, address)
        is_known = here in self._signed_in
        wait = self._known.wait_s(here, now) if is_known else self._names.wait_s(name, now)
        wait = max(wait, self._budget.wait_s(name, now, is_known=is_known))
        exhausted = 0.0 if is_known else self._addresses.wait_s(address, now)
        if exhausted:
            wait = max(wait, self._turns.wait_s(here, exhausted, now))
        if wait <= 0:
            if exhausted:
                self._turns.take(here, now)
            if is_known:
                self._known.add(here, now)
            else:
                self._names.add(name, now)
            self._addresses.add(address, now)
            self._budget.add(name, now)
        return wait

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of a name. Those of its address stay: an account of one's own must not buy attempts."""
        name, address = name.casefold(), _client_network(address)
        here = _at(name, address)
        if here in self._signed_in:
            # what others guess elsewhere is not forgiven by it
            self._known.tries.pop(here, None)
        else:
            self._names.tries.pop(name, None)
        # so does the directory's own count
        self._budget.tries.pop(name, None)
        self._signed_in[here] = None
        self._signed_in.move_to_end(here)
        while len(self._signed_in) > MAX_KEYS:
            self._signed_in.popitem(last=False)
        self._turns.turns.pop(here, None)
        self._addresses.take_back(address)

    def unanswered(self, name: str, address: str) -> None:
        """Take back an attempt that got no answer."""
        name, address = name.casefold(), _client_network(address)
        here = _at(name, address)
        if here in self._signed_in:
            self._known.take_back(here)
        else:
            self._names.take_back(name)
        self._budget.take_back(name)
        self._addresses.take_back(address)

    def __len__(self) -> int:
        tries = (self._names.tries, self._addresses.tries, self._known.tries, self._budget.tries)
        return sum(map(len, tries)) + len(self._signed_in) + len(self._turns.turns)


def _at(name: str, address: str) -> str:
    return f"{address} {name}"


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
