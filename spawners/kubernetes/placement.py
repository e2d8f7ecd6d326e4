"""On which nodes a session may run: those of the place, of its beamlines, and of its size, together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daas_hub.errors import SessionFailed
from daas_hub.launch import Plan
from daas_hub.spawners.kubernetes.pod_settings import Placement, PodSettings, SizeInPlace


def scheduling(plan: Plan, settings: PodSettings) -> dict[str, Any]:
    """Return the fields that say on which node, and before whom; those that say nothing are left out.

    Raises:
        SessionFailed: no node can be meant.
    """
    placement = placement_of(plan, settings)
    fields = {
        "nodeSelector": dict(placement.node_selector),
        "tolerations": [dict(one) for one in placement.tolerations],
        "affinity": dict(settings.affinity),
        "schedulerName": settings.scheduler,
        "priorityClassName": settings.priority_class,
    }
    return {name: value for name, value in fields.items() if value}


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
