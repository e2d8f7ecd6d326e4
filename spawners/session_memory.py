"""What a card says once the memory of a session's size was used up: the same for all backends, which find it out.

The kernel kills one program, or the whole session; with control groups of version 2 a cluster ends the whole session.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from typing import Any

from traitlets import HasTraits

from daas_hub.amounts import bytes_in_words
from daas_hub.facility import Facility
from daas_hub.spawners.session_lifetime import Lifetime

#: Seconds for which a card says that a program was killed because the memory was used up.
NOTICE_S = 600.0


class SessionMemoryMixin(HasTraits):
    """A session that has as much memory as its size allows."""

    #: The limit in bytes at which the session ended; 0 if its memory was not why it ended. Pages offer a larger size.
    memory_used_up = 0

    ending: str
    lifetime: Lifetime
    config: Any

    def note_memory_end(self, limit_bytes: int, at: float = 0.0) -> None:
        """Record that the session has ended because its memory was used up.

        Args:
            limit_bytes: what it had; 0 if that is not known.
            at: seconds since 1970 by the clock of another machine, which may be wrong; 0 for now.
        """
        now = time.time()
        at = at if self.lifetime.started <= at <= now else now
        self.memory_used_up = limit_bytes
        whole = f"all of its {bytes_in_words(limit_bytes)} of memory" if limit_bytes else "all of its memory"
        self.ending = f"It used {whole} at {self.time_of_day(at)}, and was ended."

    def memory_notice(self, killed_at: float) -> str:
        """Return what the card of a running session says of a program that was killed then; "" after a while.

        Args:
            killed_at: seconds since 1970; 0 for never.
        """
        if time.time() - killed_at >= NOTICE_S:
            return ""
        return f"A program used up the session's memory and was ended at {self.time_of_day(killed_at)}."

    def time_of_day(self, seconds: float) -> str:
        """Return a time of today as the facility reads it."""
        zone = Facility.of(self.config).zone
        return datetime.datetime.fromtimestamp(seconds, zone).strftime("%H:%M")

    def memory_state(self) -> dict[str, Any]:
        """Return what survives a restart of the hub."""
        return {"memory_used_up": self.memory_used_up} if self.memory_used_up else {}

    def load_memory(self, state: Mapping[str, Any]) -> None:
        """Restore what `memory_state` returned."""
        self.memory_used_up = int(state.get("memory_used_up", 0))
