"""The metrics' names and labels, and that dashboard, alerts, documentation and code are about the same ones."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client import REGISTRY

from daas_hub.metrics.collector import ComputedGauge
from tests.metrics.published import ROOT, alerts, names_in, panels, published, queries

#: Everything a label may say; each has values of the configuration or the code only.
LABELS = {
    "cause",
    "application",
    "application_kind",
    "check",
    "host",
    "kind",
    "method",
    "outcome",
    "place",
    "reason",
    "source",
    "stage",
    "state",
}
METRICS = published()


def labels_of(name: str) -> set[str]:
    """Return the names of a metric's labels, as its collector was made with."""
    collector: Any = REGISTRY._names_to_collectors[name]
    return set(collector.labels if isinstance(collector, ComputedGauge) else collector._labelnames)


def test_there_are_metrics() -> None:
    assert {"daas_launch_stage_duration_seconds", "daas_sessions", "daas_source_circuit_open"} <= set(METRICS)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_name_follows_prometheus(name: str) -> None:
    """Base units, and a suffix that says what kind it is."""
    metric: Any = METRICS[name]
    assert re.fullmatch(r"daas_[a-z]+(_[a-z]+)+|daas_sessions", name)
    assert name.endswith("_total") == (metric.type == "counter")
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|percent|count|sum|bucket)(_|\Z)", name)
    if metric.type == "histogram":
        assert name.endswith(("_seconds", "_bytes"))
    assert metric.documentation.endswith(".")


@pytest.mark.parametrize("name", sorted(METRICS))
def test_no_label_names_a_person_or_a_session(name: str) -> None:
    assert labels_of(name) <= LABELS


def test_the_dashboard_and_the_alerts_read_what_is_published() -> None:
    read = {name for one in (*queries().values(), *alerts().values()) for name in names_in(one)}
    assert read - set(METRICS) == set()


def test_everything_that_is_published_is_on_the_dashboard() -> None:
    read = {name for one in queries().values() for name in names_in(one)}
    assert set(METRICS) - read == set()


def test_everything_that_is_published_is_documented() -> None:
    page = (ROOT / "docs" / "how-to" / "monitor-the-portal.md").read_text()
    assert [name for name in METRICS if f"`{name}`" not in page] == []
    assert [name for name in names_in(page) if name not in METRICS] == []


def test_every_alert_is_documented() -> None:
    page = (ROOT / "docs" / "how-to" / "monitor-the-portal.md").read_text()
    assert [name for name in alerts() if f"`{name}`" not in page] == []


def test_panels_are_described() -> None:
    assert [one["title"] for one in panels() if not one["description"].endswith(".")] == []
    places = [tuple(one["gridPos"][key] for key in "xy") for one in panels()]
    assert len(set(places)) == len(places)
