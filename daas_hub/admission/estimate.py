"""How long a ticket will wait, from how long sessions have lasted, with its error. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Fewer measured sessions make no estimate.
MIN_MEASURED = 5


@dataclass(frozen=True)
class Estimate:
    """Seconds to wait: the expected value, and its standard deviation."""

    expected_s: float
    error_s: float


def estimate(position: int, running: int, durations_s: Sequence[float]) -> Estimate | None:
    """Return the wait of the ticket at a position (1 is next); None if too little was measured.

    With n sessions that last m on average, one ends every m/n. The ticket waits for as many ends as its position; if
    ends are independent of each other, the wait has a relative error of one over the square root of their number, to
    which that of the measured average is added.
    """
    if running < 1 or len(durations_s) < MIN_MEASURED:
        return None
    mean = sum(durations_s) / len(durations_s)
    expected = position * mean / running
    return Estimate(expected, expected * math.sqrt(1 / position + 1 / len(durations_s)))
