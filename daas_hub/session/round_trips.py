"""How long the pages of this session wait for it: what they measured, until it is reported to the hub."""

from __future__ import annotations

from daas_hub.session import clock

#: The header in which a page says how many milliseconds its last question took.
HEADER = "X-Daas-Round-Trip"
#: One in this time, from all pages together, and no more than the hub takes at once.
EVERY_S = 10.0
MAX_KEPT = 6
_MAX_MS = 60_000.0


class RoundTrips:
    """The round trips that were measured and not reported yet, in seconds."""

    def __init__(self) -> None:
        self._kept: list[float] = []
        self._noted: float | None = None

    def note(self, text: str | None) -> None:
        """Keep what a page says, unless that is no duration, or comes too soon after another one."""
        try:
            milliseconds = float(text or "")
        except ValueError:
            return
        now = clock.now()
        if not 0 < milliseconds <= _MAX_MS or (self._noted is not None and now - self._noted < EVERY_S):
            return
        self._noted = now
        self._kept = [*self._kept, milliseconds / 1000][-MAX_KEPT:]

    def take(self) -> list[float]:
        """Return them, and forget them."""
        kept, self._kept = self._kept, []
        return kept
