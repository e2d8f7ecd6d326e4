"""Checks of places for check-config and the doctor: names of the catalogue, and each place's backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from daas_hub.catalogue import Catalogue
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.facility import Facility
from daas_hub.findings import Finding
from daas_hub.launch import Place, Plan
from daas_hub.spawners.places.backends import Backend, in_place


class FacilityOfPlace:
    """The facility, with the applications and sizes that one place offers."""

    def __init__(self, facility: Facility, place: Place) -> None:
        self._facility = facility
        known = facility.applications
        self.applications = Catalogue(
            {
                name: one
                for name, one in known.applications.items()
                if not place.applications or name in place.applications
            },
            {name: one for name, one in known.sizes.items() if not place.sizes or name in place.sizes},
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facility, name)


def catalogue_problems(backends: Mapping[str, Backend], facility: Facility) -> list[DaasError]:
    """Return names that the catalogue does not have, and the problems that each backend finds with its applications."""
    problems: list[DaasError] = []
    for name, backend in backends.items():
        place = backend.place
        named: dict[str, tuple[Iterable[str], Mapping[str, Any]]] = {
            "applications": (place.applications, facility.applications.applications),
            "sizes": (place.sizes, facility.applications.sizes),
            "default_for": (place.default_for.applications, facility.applications.applications),
        }
        for key, (wanted, known) in named.items():
            problems += [_unknown(name, key, one, known) for one in sorted(wanted) if one not in known]
        own: Any = FacilityOfPlace(facility, place)
        problems += [in_place(one, place) for one in backend.spawner_class.configuration_problems(backend.config, own)]
    return problems


def _unknown(place: str, key: str, value: str, known: Mapping[str, Any]) -> ConfigurationError:
    near = get_close_matches(value, known, n=1)
    remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."
    return ConfigurationError(f"Places.places[{place!r}][{key!r}]", value, "is not in the catalogue", remedy=remedy)


async def examine_places(backends: Mapping[str, Backend], facility: Facility, plan: Plan | None) -> list[Finding]:
    """Examine the backend of each place, with the launch to try if that place can have it."""
    findings: list[Finding] = []
    for backend in backends.values():
        own: Any = FacilityOfPlace(facility, backend.place)
        found = await backend.spawner_class.examine(backend.config, own, _plan_for(backend.place, own, plan))
        findings += [replace(one, check=f"in {backend.place.title}: {one.check}") for one in found]
    return findings


def _plan_for(place: Place, facility: FacilityOfPlace, plan: Plan | None) -> Plan | None:
    """Return the launch to try in a place; None if its application or its storage is not there."""
    if plan is None or plan.application.name not in facility.applications.applications:
        return None
    if not all(place.has(one.source) for one in plan.mounts):
        return None
    return replace(plan, place=place.name)
