"""What limits one person: the limits that a launch of theirs is compared with, and what is in use of each. Pure.

Of what a person shares with others there are sums only; no name and no session of somebody else leaves this module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from daas_hub.admission.limits import Limits, Use, uses_of
from daas_hub.admission.model import Occupied
from daas_hub.admission.quota import Rules, class_title


class Scope(Enum):
    """Whom or what a limit is of."""

    PERSON = "person"
    PROPOSAL = "proposal"
    CLASS = "class"
    PLACE = "place"
    FACILITY = "facility"


@dataclass(frozen=True)
class Limited:
    """The limits of one scope.

    Attributes:
        title: the proposal's id, what pages call the class or the place; "" for the person and the portal.
        uses: one for each limited resource.
    """

    scope: Scope
    title: str
    uses: tuple[Use, ...]

    @property
    def fullness(self) -> float:
        """The part of the limit that is in use, of the resource of which least is left."""
        return max((1 - one.left / one.limit if one.limit else 1.0 for one in self.uses), default=0.0)


@dataclass(frozen=True)
class Who:
    """Whose limits are asked for.

    Attributes:
        user: the name in the hub.
        groups: roles and groups, as `Demand.groups`.
        proposals: the ids of theirs.
        places: those that are open to them.
        sessions: the most that the facility lets each person have (`Facility.sessions_per_person`).
    """

    user: str
    groups: frozenset[str]
    proposals: frozenset[str]
    places: Collection[str]
    sessions: int


def limits_on(
    rules: Rules, who: Who, counted: Sequence[Occupied], now: float, occupied: Sequence[Occupied]
) -> list[Limited]:
    """Return the limits that launches of a person are compared with, and what is in use.

    Of proposals these are the ones with something in use, those with least left first.

    Args:
        counted: what limits of people and hours count, also launches that wait (`Gate.counted`).
        now: seconds since 1970.
        occupied: what capacity counts: sessions that have been admitted and have not ended.
    """
    each = rules.each_of(who.groups)
    most = who.sessions if each.sessions is None else min(each.sessions, who.sessions)
    own = uses_of(replace(each, sessions=most), [one for one in counted if one.demand.user == who.user], now)
    found = [Limited(Scope.PERSON, "", tuple(own))]
    found += sorted(_of_proposals(rules.proposal, who, counted, now), key=lambda one: (-one.fullness, one.title))
    for name, rule in rules.classes_of(who.groups):
        shared = uses_of(rule.together, [one for one in counted if name in one.demand.groups], now)
        found.append(Limited(Scope.CLASS, class_title(name), tuple(shared)))
    for place in rules.places:
        if place in who.places:
            room = tuple(_of_room(rules, place, who, counted, now, occupied=occupied))
            found.append(Limited(Scope.PLACE, rules.titles.get(place, place), room))
    found.append(Limited(Scope.FACILITY, "", tuple(_of_room(rules, "", who, counted, now, occupied=occupied))))
    return [one for one in found if one.uses]


def unused_proposal(rules: Rules) -> tuple[Use, ...]:
    """Return the limits of a proposal with nothing in use; () if proposals are not limited."""
    return tuple(uses_of(rules.proposal, (), 0.0))


def _of_proposals(limits: Limits, who: Who, counted: Sequence[Occupied], now: float) -> Iterator[Limited]:
    if not limits:
        return
    in_use = {proposal for one in counted for proposal in one.demand.proposals}
    for proposal in who.proposals & in_use:
        uses = uses_of(limits, [one for one in counted if proposal in one.demand.proposals], now)
        if any(one.used for one in uses):
            yield Limited(Scope.PROPOSAL, proposal, tuple(uses))


def _of_room(
    rules: Rules, place: str, who: Who, counted: Sequence[Occupied], now: float, *, occupied: Sequence[Occupied]
) -> Iterator[Use]:
    """Yield what is in use of a place, or of the portal; reserved sessions are not left for others."""
    limits = rules.places[place] if place else rules.facility
    here = [one for one in occupied if place in ("", one.demand.place)]
    for use in uses_of(limits.only_at_once, here, now):
        others = [
            one
            for one in rules.reservations
            if one.place == place and one.start <= now < one.end and not one.is_for_some(who.proposals, who.groups)
        ]
        reserved = sum(one.unused(here) for one in others) if use.resource == "sessions" else 0
        yield replace(use, reserved=reserved)
    yield from uses_of(limits.only_hours, [one for one in counted if place in ("", one.demand.place)], now)
