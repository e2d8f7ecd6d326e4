"""What is published, and what dashboard and alerts read."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import REGISTRY

import daas_hub.metrics

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy" / "grafana" / "daas-hub.json"
RULES = ROOT / "deploy" / "prometheus" / "daas-hub.rules.yml"
_NAME = re.compile(r"\bdaas_[a-z_]+\b")
#: What a histogram is read by.
_PARTS = re.compile(r"_(?:bucket|sum|count)\Z")


def published() -> dict[str, Any]:
    """Return the metrics of the package, by the names that are exported."""
    for module in pkgutil.iter_modules(daas_hub.metrics.__path__):
        importlib.import_module(f"daas_hub.metrics.{module.name}")
    families = {
        family.name: family
        for collector in set(REGISTRY._collector_to_names)
        for family in (collector.describe() if hasattr(collector, "describe") else collector.collect())
    }
    return {
        f"{name}_total" if one.type == "counter" else name: one
        for name, one in families.items()
        if name.startswith("daas_")
    }


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard that ask for something."""
    return [one for one in json.loads(DASHBOARD.read_text())["panels"] if one["type"] != "row"]


def queries() -> dict[str, str]:
    """Return the dashboard's queries, by panel and letter."""
    return {f"{one['title']} {target['refId']}": target["expr"] for one in panels() for target in one["targets"]}


def alerts() -> dict[str, str]:
    """Return the expressions of the alerts by name."""
    return {
        rule["alert"]: rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    }


def names_in(expression: str) -> set[str]:
    """Return our metrics in an expression of PromQL."""
    return {_PARTS.sub("", name) for name in _NAME.findall(expression)}
