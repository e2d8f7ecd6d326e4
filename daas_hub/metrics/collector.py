"""Gauges that are computed when Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

#: Values by label values.
Values = Mapping[tuple[str, ...], float]


class ComputedGauge(Collector):
    """A gauge whose values a function returns; without a function it has no samples."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str], values: Callable[[], Values] | None = None
    ) -> None:
        self.name = name
        self.documentation = documentation
        self.labels = tuple(labels)
        #: Returns the values by label values; where it is None, it is set by the code that has them.
        self.values = values
        REGISTRY.register(self)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric without values: registering must not ask for them."""
        yield GaugeMetricFamily(self.name, self.documentation, labels=self.labels)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric with its values of this moment."""
        metric = GaugeMetricFamily(self.name, self.documentation, labels=self.labels)
        for label_values, value in (self.values() if self.values is not None else {}).items():
            metric.add_metric(label_values, value)
        yield metric
