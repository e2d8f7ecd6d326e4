"""On which nodes a session may run: those of the place, of its beamlines, and of its size, together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from daas_hub.errors import SessionFailed
from daas_hub.launch import Plan
from daas_hub.spawners.kubernetes.pod_settings import Placement, PodSettings, SizeInPlace

#: What Kubernetes puts on a node whose kubelet does not answer. People may still work there, and nobody else would
#: start a session again: without these tolerations it is evicted after five minutes, and ends when the kubelet is back.
SILENT_NODE = tuple(
    {"key": f"node.kubernetes.io/{condition}", "operator": "Exists", "effect": "NoExecute"}
    for condition in ("not-ready", "unreachable")
)


def scheduling(plan: Plan, settings: PodSettings) -> dict[str, Any]:
    """Return the fields that say on which node, and before whom; those that say nothing are left out.

    Raises:
        SessionFailed: no node can be meant.
    """
    placement = placement_of(plan, settings)
    fields = {
        "nodeSelector": dict(placement.node_selector),
        "tolerations": [dict(one) for one in (*placement.tolerations, *_silent_node(placement.tolerations))],
        "affinity": dict(settings.affinity),
        "schedulerName": settings.scheduler,
        "priorityClassName": settings.priority_class,
    }
    return {name: value for name, value in fields.items() if value}


def _silent_node(given: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the tolerations of a silent node of which the administrators have not said something else."""
    evicting = [one for one in given if one.get("effect") in (None, "", "NoExecute")]
    for ours in SILENT_NODE:
        if not any(one.get("key") in (None, "", ours["key"]) for one in evicting):
            yield ours


def placement_of(plan: Plan, settings: PodSettings) -> Placement:
    """Return where a session may run: the place's nodes, its beamlines' and its size's, together.

    Raises:
        SessionFailed: two of them exclude each other.
    """
    selector: dict[str, str] = {}
    tolerations: list[Mapping[str, Any]] = []
    for one in _placements(plan, settings):
        for name, value in one.node_selector.items():
            if selector.setdefault(name, value) != value:
                raise SessionFailed(
                    "No computer of this place is for this size and these proposals together.",
                    remedy="Choose another size, or fewer proposals.",
                    detail=f"{name} would have to be {selector[name]} and {value}",
                )
        tolerations += [item for item in one.tolerations if item not in tolerations]
    return Placement(selector, tuple(tolerations))


def size_in_place(plan: Plan, settings: PodSettings) -> SizeInPlace:
    """Return what the plan's size means in this place."""
    return settings.by_size.get(plan.size.name, SizeInPlace())


def _placements(plan: Plan, settings: PodSettings) -> Iterator[Placement]:
    yield settings.placement
    for beamline in plan.beamlines:
        if beamline in settings.by_beamline:
            yield settings.by_beamline[beamline]
    yield size_in_place(plan, settings).placement
