"""The places in clusters: how old what the hub knows of them is."""

from __future__ import annotations

from typing import Protocol

from daas_hub.metrics.collector import ComputedGauge


class HasAge(Protocol):
    """What is published of a watch."""

    @property
    def age_s(self) -> float:
        """Seconds since the API server was last heard of."""


_watches: list[tuple[str, HasAge]] = []


def publish_age(place: str, watch: HasAge) -> None:
    """Publish the age of a watch from now on."""
    _watches.append((place, watch))


def _ages() -> dict[tuple[str, ...], float]:
    """Return the age of the oldest watch of each place."""
    ages: dict[tuple[str, ...], float] = {}
    for place, watch in _watches:
        ages[(place,)] = max(watch.age_s, ages.get((place,), 0.0))
    return ages


WATCH_AGE = ComputedGauge(
    "daas_cluster_watch_age_seconds",
    "Seconds since the Kubernetes API server of a place last answered the watch of its pods.",
    ["place"],
    _ages,
)
