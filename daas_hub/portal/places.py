"""The places of a launch on pages: which ones a person may choose, and what is against each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from daas_hub.accounts import Account
from daas_hub.accounts.hub_user import withheld_roles
from daas_hub.admission.hub import Admission
from daas_hub.admission.offer import EVERYTHING, Offer
from daas_hub.admission.quota import use_of
from daas_hub.catalogue import Application, Catalogue, Size
from daas_hub.errors import DaasError
from daas_hub.facility import Facility
from daas_hub.launch import LaunchRequest, Option, Place
from daas_hub.portal.waiting import current_line


def place_titles(places: Iterable[Place]) -> dict[str, str]:
    """Return the titles of places by name."""
    return {one.name: one.title for one in places}


def title_of_place(name: str, titles: Mapping[str, str]) -> str:
    """Return what pages call the place of a session; its name if it is not configured, "" for none."""
    return titles.get(name, name)


def sizes_in(
    places: Iterable[Place],
    person: Account,
    catalogue: Catalogue,
    application: Application,
    offer: Offer = EVERYTHING,
) -> tuple[list[Size], str]:
    """Return the sizes of an application that one of this person's places has, and the default's name.

    The default is "" where places differ in it. Without places, these are the application's own sizes.

    Args:
        offer: what the person's classes leave them. Where that is not the usual size, the default is the first one
            they may use, and a launch has to name it.
    """
    sizes = catalogue.sizes_of(application)
    open_to = [
        one for one in places if one.is_for(person) and (not one.applications or application.name in one.applications)
    ]
    possible = [[one.name for one in sizes if not place.sizes or one.name in place.sizes] for place in open_to]
    possible = [names for names in possible if names] or [[one.name for one in sizes]]
    found = [one for one in sizes if offer.has_size(one.name) and any(one.name in names for names in possible)]
    if not found:
        return [], ""
    is_usual_allowed = all(offer.has_size(names[0]) for names in possible)
    is_default = not is_usual_allowed or all(found[0].name in names for names in possible)
    return found, found[0].name if is_default else ""


async def place_choices(
    handler: Any, account: Account, request: LaunchRequest, applications: Sequence[str], wanted: str, *, offer: Offer
) -> list[dict[str, Any]]:
    """Return the places of the launch page, in its order; [] where the portal has only one backend.

    Args:
        request: the proposal and the visits of the page.
        applications: those the page offers, or the chosen one alone.
        wanted: the place that the link or the form names.
        offer: what the person's classes leave them.
    """
    facility: Facility = handler.facility
    found: dict[str, Option] = {}
    for name in applications if facility.places else ():
        asked = replace(request, application=name, size=None)
        try:
            options = await facility.place_options(account, asked, withheld=withheld_roles(handler.current_user))
        except DaasError as problem:
            handler.log.info("places of %s for %s: %s", name, account.name, problem)
            continue
        for option in (_narrowed(one, facility.applications, name, offer) for one in options):
            # of several applications the page shows a place as possible if one of them can be there
            if found.setdefault(option.place.name, option).problem and not option.problem:
                found[option.place.name] = option
    full = {name: _full(handler, one.place) for name, one in found.items()}
    views = [_view(one, full[name], facility, offer) for name, one in found.items()]
    # what is usual for one application is not for another
    usual = next((one["name"] for one in views if not one["problem"]), "") if len(applications) == 1 else ""
    possible = {one["name"] for one in views if not one["problem"]}
    chosen = wanted if wanted in possible else usual
    return [one | {"selected": one["name"] == chosen} for one in views]


def _narrowed(option: Option, catalogue: Catalogue, application: str, offer: Offer) -> Option:
    """Return the option, with a problem if the place has no size that the person may use."""
    place, sizes = option.place, catalogue.sizes_of(catalogue.applications[application])
    if option.problem or any(offer.has_size(one.name) for one in sizes if not place.sizes or one.name in place.sizes):
        return option
    return replace(option, problem=f"{place.title} has no size that is available to you.")


def _view(option: Option, full: str, facility: Facility, offer: Offer) -> dict[str, Any]:
    missing = " and ".join(option.missing)
    sizes = facility.applications.sizes
    return {
        "name": option.place.name,
        "title": option.place.title,
        "description": option.place.description,
        "sizes": ", ".join(sizes[one].title for one in option.place.sizes if one in sizes and offer.has_size(one)),
        "problem": option.problem or full,
        "free": _free(option.place),
        # what is needed and missing is the problem
        "missing": f"Without {missing}, which it does not have." if missing and not option.problem else "",
    }


def _free(place: Place) -> str:
    """Return what a place has left of its limited resources, as far as it is known."""
    if (admission := Admission.current()) is None:
        return ""
    return free_words(use_of(admission.gate.rules, place.name, admission.gate.occupied))


def free_words(use: Mapping[str, tuple[float, float]]) -> str:
    """Return what is left, worded for the user: "Free: 10 CPUs, 24 GiB of memory."; "" where nothing is limited.

    Args:
        use: what is in use of each resource, and its limit (`quota.use_of`).
    """
    left = {name: max(0.0, limit - used) for name, (used, limit) in use.items()}
    shown: dict[str, Callable[[float], str]] = {
        "sessions": lambda value: f"{value:.0f} session{'' if value == 1 else 's'}",
        "cpus": lambda value: f"{value:.4g} CPU{'' if value == 1 else 's'}",
        "memory_bytes": lambda value: f"{value / 2**30:.4g} GiB of memory",
        "gpus": lambda value: f"{value:.0f} GPU{'' if value == 1 else 's'}",
    }
    # a place without GPUs is not one of which none is free
    words = [show(left[name]) for name, show in shown.items() if name in left and use[name][1] > 0]
    return f"Free: {', '.join(words)}." if words else ""


def _full(handler: Any, place: Place) -> str:
    """Return that a place is full, worded for the user; "" if it is not."""
    in_use = getattr(handler.current_user.spawner_class, "in_use", None)
    if place.capacity is None or in_use is None or current_line() is not None:
        # with a queue, a launch there waits
        return ""
    used = in_use(handler.config, place.name, handler.users)
    return f"Full: {used} of {place.capacity} sessions are in use." if used >= place.capacity else ""
