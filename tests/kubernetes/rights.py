"""The rights that the chart grants a hub in the namespace of its sessions, and those that a hub was seen to use."""

from __future__ import annotations

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

import yaml

_TEMPLATE = Path(__file__).parents[2] / "deploy" / "helm" / "daas-hub" / "templates" / "rights.yaml"
#: What every account may ask of itself, in no namespace; no Role grants it.
_OF_EVERYBODY = ("selfsubjectaccessreviews", "create")

Right = tuple[str, str]


def _rules_of_the_chart() -> list[dict[str, Any]]:
    """Return the rules of the chart's Role; they have no template in them."""
    text = _TEMPLATE.read_text().partition("\nrules:\n")[2].partition("\n---")[0]
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


#: The rules of the hub's Role; every hub of these tests has them and no others.
HUB_RULES = _rules_of_the_chart()


def granted(rules: list[dict[str, Any]]) -> set[Right]:
    """Return each resource with each verb that the rules of a Role grant."""
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def used(log: Path, user: str, namespaces: Container[str] | None = None) -> dict[str, set[Right]]:
    """Return each resource with each verb that somebody asked for, by namespace, from an API server's audit log.

    Fails where the API server refused for want of a right, except before it knew the role that was just created; what
    is in no namespace is in that of the name "".

    Args:
        namespaces: the only ones to look at, where other tests of the same user delete theirs under a hub.
    """
    found: dict[str, set[Right]] = {}
    refused: dict[tuple[str, Right], str] = {}
    for line in log.read_bytes().splitlines():
        record = json.loads(line)
        if record["user"].get("username") != user or "objectRef" not in record:
            continue
        reference = record["objectRef"]
        right = "/".join(filter(None, (reference["resource"], reference.get("subresource")))), record["verb"]
        if right == _OF_EVERYBODY:
            continue
        namespace = reference.get("namespace", "")
        if namespaces is not None and namespace not in namespaces:
            continue
        if record["responseStatus"]["code"] in (401, 403):
            assert right not in found.get(namespace, ()), f"refused after it was granted: {record['requestURI']}"
            refused[namespace, right] = record["requestURI"]
            continue
        refused.pop((namespace, right), None)
        found.setdefault(namespace, set()).add(right)
    assert not refused, f"refused, and not granted later: {refused}"
    return found
