"""`daas-hub capacity`: what each place of a running hub, and the whole portal, has, and how much of it is in use."""

from __future__ import annotations

from typing import Any

import click

from daas_hub.commands.output import JSON, as_json, as_table, reports_errors
from daas_hub.commands.running_hub import find_hub, hub_options

#: The columns of resources other than sessions.
_RESOURCES = {"cpus": "CPUS", "memory_bytes": "MEMORY", "gpus": "GPUS", "hours": "HOURS"}


@click.command()
@hub_options
@JSON
@reports_errors
def capacity(is_json: bool, **where: Any) -> int:
    """Show what each place has, and how much of it is in use.

    With several places, the last line is the whole portal, if it has a capacity or hours of its own (Quotas.facility).
    For a place whose backend is asked (Quotas.places, Quotas.facility), it says what the numbers are from, and how old
    they are.
    """
    places = places_and_portal(find_hub(**where).get("daas/status"))
    print(as_json(places) if is_json else capacity_table(places))
    return 0


def places_and_portal(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the places of a status, then the whole portal, named "" like the only backend, if it has limits."""
    # a hub of an earlier release does not report it
    portal = found.get("whole_portal")
    return [*found["places"], *([{"name": "", "title": "The whole portal", "state": ""} | portal] if portal else [])]


def capacity_table(places: list[dict[str, Any]]) -> str:
    """Return one line for each place; columns that none of them needs are left out.

    Args:
        places: as `places_and_portal` returns them.
    """
    limited = [name for name in _RESOURCES if any(name in one["resources"] for one in places)]
    is_asked = any(one["asked"] for one in places)
    heads = ["PLACE", "STATE", "USED", "LIMIT", "FREE", *(_RESOURCES[name] for name in limited)]
    rows = [
        [
            one["name"] or ("(one backend)" if one["state"] else "(whole portal)"),
            one["state"] or "-",
            one["used"],
            "no limit" if one["capacity"] is None else one["capacity"],
            "-" if one["capacity"] is None else max(0, one["capacity"] - one["used"]),
            *(_use(name, one["resources"].get(name)) for name in limited),
            *([_origin(one["asked"])] if is_asked else []),
        ]
        for one in places
    ]
    return as_table([*heads, "FROM"] if is_asked else heads, rows)


def _use(name: str, found: dict[str, float] | None) -> str:
    if found is None:
        return "no limit"
    if name == "memory_bytes":
        return f"{found['used'] / 2**30:.4g} of {found['limit'] / 2**30:.4g} GiB"
    words = f"{found['used']:.6g} of {found['limit']:.6g}"
    return f"{words} in {found['days']:.6g} days" if name == "hours" else words


def _origin(asked: dict[str, Any] | None) -> str:
    """Return where the capacity of a place is from, and how old it is."""
    if asked is None:
        return "the configuration"
    if asked["age_s"] is None:
        return f"not known: {asked['problem']}"
    words = f"{asked['source']}, {asked['age_s']:.0f} s ago"
    return f"{words}; now: {asked['problem']}" if asked["problem"] else words
