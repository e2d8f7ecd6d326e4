"""Leaves a service alone for a while after it failed several times in a row: requests then fail at once.

A service that hangs would otherwise hold every login and every launch for as long as it may take, and every one of them
would ask it again while it tries to come back. After the rest one question is let through; its answer decides for all.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable

from daas_hub.metrics.sources import CIRCUIT_OPEN, label_of

_log = logging.getLogger("jupyterhub.daas")

#: Failures in a row after which a service is left alone, and for how long.
FAILURES = 5
REST_S = 10.0

_known: weakref.WeakSet[CircuitBreaker] = weakref.WeakSet()


def known_breakers() -> tuple[CircuitBreaker, ...]:
    """Return the breakers of this process, by name."""
    return tuple(sorted(_known, key=lambda one: one.name))


class CircuitBreaker:
    """What is known of one service: whether it answers, and since when it does not.

    Args:
        name: of the service, for the log.
        source: its name in metrics, with `host`; "" leaves it out of them.
    """

    def __init__(
        self,
        name: str,
        *,
        source: str = "",
        host: str = "",
        failures: int = FAILURES,
        rest_s: float = REST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._most = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failed = 0
        self._open_since: float | None = None
        self._next_trial = 0.0
        self.source, self.host = source, host
        _known.add(self)

    @property
    def is_open(self) -> bool:
        """Whether the service is being left alone; also while somebody tries whether it is back."""
        return self._open_since is not None

    @property
    def open_for_s(self) -> float:
        """For how long the service has been left alone; 0 if it is not."""
        return 0.0 if self._open_since is None else self._clock() - self._open_since

    def admits(self) -> bool:
        """Return whether the service may be asked now; of those who ask after a rest, one may."""
        now = self._clock()
        if self._open_since is None:
            return True
        if now < self._next_trial:
            return False
        # whoever is let through may never come back with an outcome: the next one may try after another rest
        self._next_trial = now + self._rest_s
        return True

    def answered(self) -> None:
        """Note an answer of any kind: the service is there."""
        self._failed = 0
        if self._open_since is not None:
            _log.warning("%s answers again, after %.0f s", self.name, self._clock() - self._open_since)
            self._open_since = None

    def failed(self) -> None:
        """Note that there was none, or the service's own failure."""
        self._failed += 1
        if self._open_since is not None:
            self._next_trial = self._clock() + self._rest_s
        elif self._failed >= self._most:
            self._open_since = self._clock()
            self._next_trial = self._open_since + self._rest_s
            _log.error(
                "%s did not answer %d times in a row: it is asked once every %g s until it does",
                self.name,
                self._failed,
                self._rest_s,
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
