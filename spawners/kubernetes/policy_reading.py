"""Reads network policies as the API server has them: which pods they choose, and what they open. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daas_hub.spawners.kubernetes.labels import EGRESS_LABEL, LAUNCH_LABEL, SESSION_LABEL, START_LABEL

#: Labels of a session whose value differs from one to the next.
_VARYING = frozenset({EGRESS_LABEL, LAUNCH_LABEL, SESSION_LABEL, START_LABEL})


def is_default_deny(policy: Mapping[str, Any]) -> bool:
    """Return whether a policy closes every pod of its namespace in both directions."""
    spec = policy["spec"]
    return (
        not _requirements(spec)
        and set(spec.get("policyTypes") or ()) == {"Ingress", "Egress"}
        and not opened_by(policy)
    )


def opened_by(policy: Mapping[str, Any]) -> list[str]:
    """Return what a policy opens for the pods that it chooses: "ingress", "egress to everywhere"; [] for nothing."""
    spec = policy["spec"]
    ways = []
    for name, end in (("ingress", "from"), ("egress", "to")):
        if rules := spec.get(name):
            everywhere = any(not one.get(end) and not one.get("ports") for one in rules)
            ways.append(f"{name} {end} everywhere" if everywhere else name)
    return ways


def selects(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a policy chooses pods with these labels, or may choose some of them.

    Args:
        labels: those that all of them have.
    """
    return all(_may_match(key, operator, values, labels) for key, operator, values in _requirements(policy["spec"]))


def _requirements(spec: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    return list(_each_requirement(spec.get("podSelector") or {}))


def _each_requirement(selector: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for key, value in (selector.get("matchLabels") or {}).items():
        yield key, "In", [value]
    for one in selector.get("matchExpressions") or ():
        yield one["key"], one["operator"], one.get("values") or []


def _may_match(key: str, operator: str, values: list[str], labels: Mapping[str, str]) -> bool:
    if key in _VARYING:
        return operator != "DoesNotExist"
    if operator in ("In", "Exists"):
        return key in labels and (operator == "Exists" or labels[key] in values)
    return key not in labels or (operator == "NotIn" and labels[key] not in values)
