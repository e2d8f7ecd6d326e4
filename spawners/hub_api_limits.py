"""How much one session may ask of the hub. Pure, except for the descriptor limit of this process."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

#: Simultaneous connections of one session; further ones wait in the kernel's queue, which holds `BACKLOG`.
MAX_CONNECTIONS = 16
BACKLOG = 32
#: Requests a session may make at once, and per second after that. It needs some two per minute.
BURST = 30.0
REQUESTS_PER_S = 1.0
#: What a request costs that was refused, malformed or never completed; and the deepest debt, in requests.
COST_OF_FAILURE = 10.0
MAX_DEBT = 30.0
#: Seconds for the headers, for the body, and for a request altogether.
HEADER_TIME_S = 5.0
BODY_TIME_S = 5.0
REQUEST_TIME_S = 30.0
MAX_HEADER_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
#: Lines in the hub's log about one session's requests: at once, and per second after that.
LOG_BURST = 20.0
LOG_LINES_PER_S = 0.1


class TokenBucket:
    """A token bucket that can be in debt: after failures it takes longer until the next request."""

    def __init__(
        self, burst: float, per_s: float, *, max_debt: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._per_s, self._max_debt, self._clock = burst, per_s, max_debt, clock
        self._tokens, self._when = burst, clock()

    def wait_s(self) -> float:
        """Return the seconds until a token is there; 0 if one is."""
        self._refill()
        return max(0.0, (1.0 - self._tokens) / self._per_s)

    def spend(self, tokens: float = 1.0) -> None:
        """Take tokens, whether they are there or not."""
        self._refill()
        self._tokens = max(-self._max_debt, self._tokens - tokens)

    def take(self) -> bool:
        """Take a token if one is there; return whether it was."""
        if self.wait_s() > 0:
            return False
        self.spend()
        return True

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._when) * self._per_s)
        self._when = now


class Descriptors:
    """The connections of all sessions together: half of what this process may open is reserved for people."""

    def __init__(self) -> None:
        self.used = 0

    @property
    def are_left(self) -> bool:
        """Whether one more connection of a session may be open."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return limit == resource.RLIM_INFINITY or self.used < limit // 2
