"""Active servers, counted at most every few seconds where no limit depends on the number.

JupyterHub counts them at every start, over all users and their servers, also where both of its limits are 0
(decision 32).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from jupyterhub.metrics import RUNNING_SERVERS

#: The hub's gauge of running servers is corrected by a count at least so often, if anybody starts one.
COUNT_EVERY_S = 10.0


def count_rarely(app: Any) -> None:
    """Let the hub count its active servers only every `COUNT_EVERY_S`, unless it has a limit of them."""
    if not (app.concurrent_spawn_limit or app.active_server_limit):
        app.users.count_active_users = RecentCounts(app.users.count_active_users)


class RecentCounts:
    """The hub's counts of active and pending servers, which may be some seconds old."""

    def __init__(self, count: Callable[[], Mapping[str, int]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._counted = float("-inf")
        self._counts: dict[str, int] = {}

    def __call__(self) -> dict[str, int]:
        """Return the counts, in which kinds that do not occur are 0."""
        if self._clock() - self._counted >= COUNT_EVERY_S:
            self._counts = dict(self._count())
            self._counted = self._clock()
            return defaultdict(int, self._counts)
        counts = defaultdict(int, self._counts)
        # a start sets the gauge to this number: it is counted up and down in between
        counts["active"] = int(RUNNING_SERVERS.collect()[0].samples[0].value)
        return counts
