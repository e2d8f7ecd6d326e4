"""How often the hub's process looks for reference cycles among its objects."""

from __future__ import annotations

import gc

#: Objects that are allocated, and not freed, between two collections of the youngest ones. Python has 700, for small
#: programs; a start allocates tens of thousands, almost all of which are freed without the collector.
_THRESHOLD = 20_000


def collect_rarely() -> None:
    """Collect less often, and leave out what is loaded now: modules and classes stay as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_THRESHOLD, *gc.get_threshold()[1:])
