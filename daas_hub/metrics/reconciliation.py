"""What the reconciler finds: differences between the hub's records and what the backends run."""

from __future__ import annotations

from prometheus_client import Counter

from daas_hub.metrics.collector import ComputedGauge
from daas_hub.metrics.launches import ONLY_PLACE

_waiting: dict[tuple[str, ...], float] = {}
_last_compared: dict[tuple[str, ...], float] = {}

ENDED = Counter("daas_reconciler_ended_total", "Sessions that the reconciler ended.", ["place"])
WAITING = ComputedGauge(
    "daas_reconciler_unowned_sessions",
    "Sessions that run and that the hub does not know.",
    ["place"],
    lambda: _waiting,
)
LAST_COMPARED = ComputedGauge(
    "daas_reconciler_last_success_timestamp_seconds",
    "When records and backend were last compared; it stays while the backend does not answer, and is 0 before.",
    ["place"],
    lambda: _last_compared,
)


def publish_round(place: str, *, at: float, is_compared: bool, ended: int, waiting: int) -> None:
    """Publish the result of a round.

    Args:
        at: seconds since the epoch.
        is_compared: whether the backend answered.
    """
    key = (place or ONLY_PLACE,)
    ENDED.labels(*key).inc(ended)
    if is_compared:
        _last_compared[key], _waiting[key] = at, float(waiting)
    else:
        # what was found last is still true, as far as is known
        _last_compared.setdefault(key, 0.0)
