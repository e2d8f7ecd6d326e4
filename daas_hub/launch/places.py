"""Places, the backends of one portal: the rules for using them, what they lack, and the one a launch gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Size
from daas_hub.errors import Refused
from daas_hub.launch.mounts import Mount
from daas_hub.launch.plan import Plan
from daas_hub.proposals import Proposal


class PlaceState(StrEnum):
    """Whether a place takes new sessions; running ones are never affected."""

    OPEN = "open"
    DRAINING = "draining"
    DOWN = "down"


@dataclass(frozen=True)
class Defaults:
    """The launches for which a place is the default: all conditions that are given must hold."""

    applications: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def match(self, application: Application, person: Account) -> bool:
        """Return whether they hold; no conditions match nothing."""
        conditions = (
            (self.applications, {application.name}),
            (self.roles, person.roles),
            (self.groups, person.memberships),
        )
        given = [(wanted, has) for wanted, has in conditions if wanted]
        return bool(given) and all(wanted & has for wanted, has in given)


@dataclass(frozen=True)
class Place:
    """One backend of the portal, as the administrator configured it.

    Attributes:
        spawner: what `JupyterHub.spawner_class` would have: a name, or a class.
        settings: the settings of this place's spawner, by trait.
        capacity: the most sessions it has at once; None for no limit.
        sizes, applications: names it offers; empty for all of the catalogue.
        beamlines: it is for proposals of these; empty for all, and for launches without a proposal.
        roles, groups: it is for people with one of them; both empty for everybody.
        storage: the only directories it has, with what is below them; None for all.
        lacks_storage: directories it does not have.
        notice: why it is not open, worded for users.
        has_earlier_sessions: sessions from before there were places are here.
    """

    name: str
    title: str
    spawner: Any
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    description: str = ""
    state: PlaceState = PlaceState.OPEN
    notice: str = ""
    capacity: int | None = None
    sizes: tuple[str, ...] = ()
    applications: frozenset[str] = frozenset()
    beamlines: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    default_for: Defaults = Defaults()
    storage: tuple[PurePosixPath, ...] | None = None
    lacks_storage: tuple[PurePosixPath, ...] = ()
    has_earlier_sessions: bool = False

    def is_for(self, person: Account) -> bool:
        """Return whether this person may use it at all; anybody else does not learn of it."""
        if not self.roles and not self.groups:
            return True
        return bool(self.roles & person.roles or self.groups & person.memberships)

    def has(self, source: PurePosixPath) -> bool:
        """Return whether this directory of the facility exists there."""
        if self.storage is not None and not any(source.is_relative_to(one) for one in self.storage):
            return False
        return not any(source.is_relative_to(one) for one in self.lacks_storage)


@dataclass(frozen=True)
class Launch:
    """What is to be launched somewhere, and by whom.

    Attributes:
        person: who launches, with the roles of this login; not the account the session runs as.
        sizes: those of the application, the default first.
        size: the requested one; None for the default.
        proposals: of its visits; () for an own resource.
    """

    person: Account
    application: Application
    sizes: tuple[Size, ...]
    mounts: tuple[Mount, ...]
    size: str | None = None
    proposals: tuple[Proposal, ...] = ()


@dataclass(frozen=True)
class Option:
    """A place that a person may use, for a page.

    Attributes:
        problem: why the launch cannot be there, worded for the user; "" if it can.
        missing: directories that a session there is without, as the session would name them.
    """

    place: Place
    problem: str = ""
    missing: tuple[str, ...] = ()


def options(places: Iterable[Place], launch: Launch) -> tuple[Option, ...]:
    """Return the places that this person may use, the default first, each with what is against it."""
    mine = [one for one in places if one.is_for(launch.person)]
    # a stable sort: within both groups the order is the administrator's
    mine.sort(key=lambda place: not place.default_for.match(launch.application, launch.person))
    return tuple(Option(one, problem_with(one, launch), _missing(one, launch.mounts)) for one in mine)


def require_place(places: Iterable[Place], launch: Launch, wanted: str | None) -> Place:
    """Return the place of a launch: the requested one, or the first of `options` that can have it.

    Raises:
        Refused: there is none; a place this person may not use is refused as one that does not exist.
    """
    mine = options(places, launch)
    if wanted is not None:
        mine = tuple(one for one in mine if one.place.name == wanted)
    if not mine:
        what = "no place" if wanted is None else f"no place {wanted}"
        raise Refused(f"There is {what} that you may use.", remedy="Choose one on the launch page.")
    for one in mine:
        if not one.problem:
            return one.place
    others = () if wanted is None else tuple(one for one in options(places, launch) if not one.problem)
    remedy = f"Possible: {', '.join(one.place.title for one in others)}." if others else "Ask the administrators."
    raise Refused(mine[0].problem, remedy=remedy)


def placed(plan: Plan, place: Place, launch: Launch) -> Plan:
    """Return the plan for a place that can have it: with its size, and without directories it does not have."""
    kept = tuple(found for one in plan.mounts if (found := _mount_in(place, one)) is not None)
    sizes = {one.name: one for one in _sizes(place, launch)}
    size = sizes[launch.size] if launch.size is not None else next(iter(sizes.values()))
    return replace(plan, place=place.name, mounts=kept, size=size)


def problem_with(place: Place, launch: Launch) -> str:
    """Return why this launch cannot be in a place, worded for the user; "" if it can."""
    checks = (_offer_problem, _beamline_problem, _state_problem, _storage_problem)
    return next((problem for check in checks if (problem := check(place, launch))), "")


def _offer_problem(place: Place, launch: Launch) -> str:
    application = launch.application
    if place.applications and application.name not in place.applications:
        return f"{place.title} does not offer {application.title}."
    sizes = [one.name for one in _sizes(place, launch)]
    if not sizes or (launch.size is not None and launch.size not in sizes):
        return f"{place.title} does not offer {application.title} in that size."
    return ""


def _beamline_problem(place: Place, launch: Launch) -> str:
    if not place.beamlines:
        return ""
    only = f"{place.title} is for proposals of {_list(sorted(place.beamlines))} only"
    others = [one.id for one in launch.proposals if place.beamlines.isdisjoint(one.beamlines)]
    if others:
        return f"{only}, and {others[0]} is not one of them."
    return "" if launch.proposals else f"{only}."


def _state_problem(place: Place, launch: Launch) -> str:
    if place.state is PlaceState.OPEN:
        return ""
    what = "is down" if place.state is PlaceState.DOWN else "takes no new sessions at the moment"
    return f"{place.title} {what}{f': {place.notice}' if place.notice else '.'}"


def _storage_problem(place: Place, launch: Launch) -> str:
    needed = [name_of(one) for one in launch.mounts if not one.optional and _mount_in(place, one) is None]
    return f"{place.title} does not have the storage of {_list(needed)}." if needed else ""


def name_of(mount: Mount) -> str:
    """Return what a user calls a directory of a session."""
    return "the home directory" if mount.target == "." else f"~/{mount.target}"


def _missing(place: Place, mounts: Sequence[Mount]) -> tuple[str, ...]:
    return tuple(name_of(one) for one in mounts if _mount_in(place, one) is None)


def _mount_in(place: Place, mount: Mount) -> Mount | None:
    """Return the mount with the alternatives that exist in this place; None if there are none."""
    found = [one for one in (mount, *mount.otherwise) if place.has(one.source)]
    return replace(found[0], otherwise=tuple(replace(one, otherwise=()) for one in found[1:])) if found else None


def _sizes(place: Place, launch: Launch) -> tuple[Size, ...]:
    return tuple(one for one in launch.sizes if not place.sizes or one.name in place.sizes)


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
