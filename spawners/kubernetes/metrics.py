"""What Prometheus reads of the places in clusters, at JupyterHub's own /hub/metrics: computed when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

WATCH_AGE = "daas_cluster_watch_age_seconds"
_HELP = "Seconds since the Kubernetes API server of a place last answered the watch of its pods."


class HasAge(Protocol):
    """What is published of a watch."""

    @property
    def age_s(self) -> float:
        """Seconds since the API server was last heard of."""


class _WatchAges(Collector):
    """The ages of all watches, by place."""

    def __init__(self) -> None:
        self.watches: list[tuple[str, HasAge]] = []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric; without a watch, it has no samples."""
        metric = GaugeMetricFamily(WATCH_AGE, _HELP, labels=["place"])
        ages: dict[str, float] = {}
        for place, watch in self.watches:
            ages[place] = max(watch.age_s, ages.get(place, 0.0))
        for place, age_s in ages.items():
            metric.add_metric([place], age_s)
        yield metric


_ages = _WatchAges()


def publish_age(place: str, watch: HasAge) -> None:
    """Publish the age of a watch from now on."""
    if not _ages.watches:
        REGISTRY.register(_ages)
    _ages.watches.append((place, watch))
