"""Counts sessions and the queue of a hub for `daas_hub.metrics`, from the hub's records in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from daas_hub.admission.hub import Admission
from daas_hub.facility import Facility
from daas_hub.metrics.launches import ONLY_PLACE
from daas_hub.metrics.queue import OLDEST, WAITING
from daas_hub.metrics.revocation import publish_unconfirmed
from daas_hub.metrics.sessions import SESSIONS
from daas_hub.portal.session_views import session_state
from daas_hub.spawners.session_records import SessionRecords

#: What is not a session any more is a card; the hub has only some of those in memory.
_STATES = ("starting", "running", "stopping", "unknown")
#: An application that the catalogue does not have (any more): the options of a launch may name anything.
_OTHER = "other"


def publish_sessions(hub: Any) -> None:
    """Publish the sessions of this hub from now on."""
    SESSIONS.values = lambda: session_counts(hub.users, Facility.of(hub.config).applications.applications)


def publish_queue(hub: Any) -> None:
    """Publish the queue of this hub from now on."""
    places = [place.name for place in Facility.of(hub.config).places] or [""]

    def waits() -> list[tuple[str, float]]:
        admission = Admission.current()
        return admission.line.waits() if admission is not None and admission.line is not None else []

    WAITING.values = lambda: queue_counts(places, waits(), lambda seconds: float(len(seconds)))
    OLDEST.values = lambda: queue_counts(places, waits(), lambda seconds: max(seconds, default=0.0))


def publish_stops(hub: Any, records: Sequence[SessionRecords]) -> None:
    """Publish the stops of this hub that no backend has confirmed, also those of before its restart."""
    publish_unconfirmed("records", lambda: unconfirmed_stops(hub.users, records))


def unconfirmed_stops(users: Mapping[Any, Any], records: Iterable[SessionRecords]) -> set[str]:
    """Return the sessions, as "user:session", whose stop is not confirmed, except those that the hub is stopping."""
    wanted = {f"{row.user}:{row.server}" for one in records for row in one.all().values() if row.stop_wanted}
    if not wanted:
        return wanted
    return wanted - {
        f"{user.name}:{name}"
        for user in list(users.values())
        for name, spawner in list(user.spawners.items())
        if spawner.pending == "stop"
    }


def queue_counts(
    places: Iterable[str], waits: Iterable[tuple[str, float]], value: Callable[[Sequence[float]], float]
) -> dict[tuple[str, ...], float]:
    """Return a value of the seconds that launches have waited, by place; also of places for which nobody waits."""
    by_place: dict[str, list[float]] = {name: [] for name in places}
    for place, seconds in waits:
        by_place.setdefault(place, []).append(seconds)
    return {(place or ONLY_PLACE,): value(seconds) for place, seconds in by_place.items()}


def session_counts(users: Mapping[Any, Any], known: Container[str]) -> Counter[tuple[str, ...]]:
    """Return the number of sessions by application, place and state.

    Args:
        users: the hub's users in memory.
        known: the applications of the catalogue.
    """
    counts: Counter[tuple[str, ...]] = Counter()
    for user in list(users.values()):
        for name, spawner in list(user.spawners.items()):
            if name and (state := session_state(spawner)) in _STATES:
                application = str((spawner.user_options or {}).get("application", ""))
                place = getattr(spawner, "place", "") or ONLY_PLACE
                counts[application if application in known else _OTHER, place, state] += 1
    return counts
