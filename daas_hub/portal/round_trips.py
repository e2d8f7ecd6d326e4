"""Takes the round trips that sessions report of their desktops.

A session belongs to a user who may report anything. So only numbers that can be round trips are taken, no more than a
page measures in the time since the last report, and no label is what a session says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import Any
from weakref import WeakKeyDictionary

from daas_hub.metrics.desktops import observe_round_trip

#: Pages measure one in this time (`daas_hub.session.round_trips`).
EVERY_S = 10.0
MAX_AT_ONCE = 6
_SHORTEST_S, _LONGEST_S = 0.0001, 60.0
#: An application that the catalogue does not have (any more).
_OTHER = "other"

_last: WeakKeyDictionary[Any, float] = WeakKeyDictionary()


def take_round_trips(
    spawner: Any, reported: object, known: Container[str], clock: Callable[[], float] = time.monotonic
) -> int:
    """Count what a session reports; return how many were taken.

    Args:
        known: the names of applications that may be a label.
    """
    if not isinstance(reported, list) or not reported:
        return 0
    now = clock()
    since = _last.get(spawner)
    allowed = MAX_AT_ONCE if since is None else min(MAX_AT_ONCE, int((now - since) / EVERY_S))
    # a report that is too early does not move the time on
    taken = [one for one in reported[:MAX_AT_ONCE] if _is_plausible(one)][:allowed]
    if not taken:
        return 0
    _last[spawner] = now
    application = (spawner.user_options or {}).get("application")
    name = application if isinstance(application, str) and application in known else _OTHER
    for seconds in taken:
        observe_round_trip(name, str(getattr(spawner, "place", "")), float(seconds))
    return len(taken)


def _is_plausible(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return _SHORTEST_S <= value <= _LONGEST_S
