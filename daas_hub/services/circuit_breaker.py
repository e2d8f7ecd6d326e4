"""Circuit breaker: requests to a service fail at once after it failed several times in a row.

Otherwise a service that hangs would delay every login and every launch until its timeout, and each would ask it again
while it recovers. After the reset timeout one request is let through; its outcome closes the circuit or keeps it open.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable

from daas_hub.metrics.sources import CIRCUIT_OPEN, label_of

_log = logging.getLogger("jupyterhub.daas")

#: Failures in a row that open the circuit.
FAILURE_THRESHOLD = 5
#: Seconds until one request is let through again.
RESET_TIMEOUT_S = 10.0

_known: weakref.WeakSet[CircuitBreaker] = weakref.WeakSet()


def known_breakers() -> tuple[CircuitBreaker, ...]:
    """Return the breakers of this process, by name."""
    return tuple(sorted(_known, key=lambda one: one.name))


class CircuitBreaker:
    """The circuit breaker of one service.

    Args:
        name: the service's name in the log.
        source: its label in metrics, with `host`; "" for no metrics.
    """

    def __init__(
        self,
        name: str,
        *,
        source: str = "",
        host: str = "",
        failure_threshold: int = FAILURE_THRESHOLD,
        reset_timeout_s: float = RESET_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._failure_threshold = failure_threshold
        self._reset_timeout_s = reset_timeout_s
        self._clock = clock
        self._failed = 0
        self._open_since: float | None = None
        self._next_trial = 0.0
        self.source, self.host = source, host
        _known.add(self)

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open, or half-open while one request tries the service."""
        return self._open_since is not None

    @property
    def open_for_s(self) -> float:
        """Seconds since the circuit opened; 0 if it is closed."""
        return 0.0 if self._open_since is None else self._clock() - self._open_since

    def allows_request(self) -> bool:
        """Return whether a request may be sent now; after the reset timeout, one may."""
        now = self._clock()
        if self._open_since is None:
            return True
        if now < self._next_trial:
            return False
        # this request may end without an outcome: the next one may try after another timeout
        self._next_trial = now + self._reset_timeout_s
        return True

    def record_success(self) -> None:
        """Record any response but a server error; closes the circuit."""
        self._failed = 0
        if self._open_since is not None:
            _log.warning("%s answers again, after %.0f s", self.name, self._clock() - self._open_since)
            self._open_since = None

    def record_failure(self) -> None:
        """Record no response, or a server error; opens the circuit at the threshold."""
        self._failed += 1
        if self._open_since is not None:
            self._next_trial = self._clock() + self._reset_timeout_s
        elif self._failed >= self._failure_threshold:
            self._open_since = self._clock()
            self._next_trial = self._open_since + self._reset_timeout_s
            _log.error(
                "%s did not answer %d times in a row: it is asked once every %g s until it does",
                self.name,
                self._failed,
                self._reset_timeout_s,
            )


def _open_circuits() -> dict[tuple[str, ...], float]:
    """Return whether the circuit of each source is open, by its labels."""
    states: dict[tuple[str, ...], float] = {}
    for one in known_breakers():
        if one.source:
            labels = label_of(one.source), one.host
            states[labels] = max(float(one.is_open), states.get(labels, 0.0))
    return states


CIRCUIT_OPEN.values = _open_circuits
