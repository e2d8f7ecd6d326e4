"""Quotas and capacity: what is in use and what is requested, compared with the limits. Pure.

A **quota** is of people: of each person, of a proposal, of a role or a group. A launch beyond it is refused, with the
numbers. **Capacity** is what a place or the whole portal has; a launch beyond it may wait in the queue. Hours of a
place or of the whole portal are a quota: they do not become free while somebody waits.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from daas_hub.admission.limits import NO_LIMITS, SHOWN, UNITS, Limits, in_words, needs, uses_of
from daas_hub.admission.model import Demand, Occupied
from daas_hub.admission.offer import EVERYTHING, Offer
from daas_hub.errors import Refused

_YOU = "You are"
_SMALLER = "Stop a session, or choose a smaller size."
_ENDED_EARLY = "Sessions that are stopped early use fewer hours."
_ELSEWHERE = f"Choose another place. {_ENDED_EARLY}"


class OverQuota(Refused):
    """A launch beyond a quota, or one that its person's class does not have."""

    reason = "quota"
    is_about_limits = True


class NotOffered(OverQuota):
    """A launch of an application or a size that its person's class does not have."""

    is_about_limits = False


class NoRoom(Refused):
    """A launch for which there is no capacity now.

    Attributes:
        place: the place that is full; "" for the whole portal.
        is_never: it needs more than there is when nothing else runs.
        held_for: the reservations for others without which a session would be free; () if none is.
    """

    reason = "capacity"
    is_about_limits = True

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        place: str = "",
        is_never: bool = False,
        held_for: tuple[Reservation, ...] = (),
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.place = place
        self.is_never = is_never
        self.held_for = held_for

    def lets_pass(self, demand: Demand) -> bool:
        """Return whether another launch may start first: it is of another place, or the free sessions are its own.

        In a session that is reserved for it, it takes none that this launch could have.
        """
        return self.place not in ("", demand.place) or any(one.is_for(demand) for one in self.held_for)


@dataclass(frozen=True)
class ClassRule:
    """What a class of people (a role or a group) may use.

    Attributes:
        each: of each of them; it replaces the limits of every person.
        together: of all of them together.
        sizes, applications: the only ones for them; empty for what everybody may use (`Rules.offer`).
        share: their weight in the queue; 2 waits as if half as much of theirs were running.
    """

    each: Limits = NO_LIMITS
    together: Limits = NO_LIMITS
    sizes: frozenset[str] = frozenset()
    applications: frozenset[str] = frozenset()
    share: float = 1.0


@dataclass(frozen=True)
class Reservation:
    """Sessions that are kept free for some people for some time.

    Attributes:
        start, end: seconds since 1970.
        place: where; "" for the whole portal.
        proposals, groups: for whom; "role:..." and "group:..." as in `Demand.groups`.
    """

    start: float
    end: float
    sessions: int
    place: str = ""
    proposals: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def is_for(self, demand: Demand) -> bool:
        """Return whether a session may use it."""
        return self.is_for_some(demand.proposals, demand.groups)

    def is_for_some(self, proposals: Iterable[str], groups: frozenset[str]) -> bool:
        """Return whether it is for one of these proposals, roles or groups."""
        return bool(self.proposals.intersection(proposals) or self.groups & groups)

    def is_kept_from(self, demand: Demand, now: float) -> bool:
        """Return whether a launch may have none of it now."""
        is_over = now >= self.end or now + demand.hours * 3600 <= self.start
        return not is_over and not self.is_for(demand) and self.place in ("", demand.place)

    def held_against(self, demand: Demand, occupied: Iterable[Occupied], now: float) -> int:
        """Return how many sessions are kept free from this launch: those not used yet by whom they are for.

        A session may last as long as its time limit, so it is kept from one that could still run when it begins.
        """
        if not self.is_kept_from(demand, now):
            return 0
        return self.unused(occupied)

    def unused(self, occupied: Iterable[Occupied]) -> int:
        """Return how many of its sessions nobody has whom it is for; `occupied` are those that have not ended."""
        used = sum(1 for one in occupied if self.is_for(one.demand) and self.place in ("", one.demand.place))
        return max(0, self.sessions - used)


class AsksBackend(Protocol):
    """What a backend is asked for (`backend_capacity.Asked`)."""

    def limits(self, configured: Limits, answer: Any) -> Limits:
        """Return the configured limits with those of an answer."""


@dataclass(frozen=True)
class Rules:
    """All limits of a facility.

    Attributes:
        offer: what people may use who are in no class, or whose class does not name any.
        classes: by "role:NAME" or "group:NAME".
        places: what each place has; `titles` are what pages call them.
        facility: what the whole portal has.
        asked: what the backend of a place is asked for; "" for the only backend, whose answer is of the facility.
        uncertain: places of which the backend's capacity is not known now.
    """

    person: Limits = NO_LIMITS
    offer: Offer = EVERYTHING
    proposal: Limits = NO_LIMITS
    classes: Mapping[str, ClassRule] = field(default_factory=dict)
    places: Mapping[str, Limits] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    facility: Limits = NO_LIMITS
    reservations: tuple[Reservation, ...] = ()
    asked: Mapping[str, AsksBackend] = field(default_factory=dict)
    uncertain: frozenset[str] = frozenset()

    def answered(self, answers: Mapping[str, Any], uncertain: frozenset[str]) -> Rules:
        """Return these rules with the capacities that backends answered, by place."""
        places = dict(self.places)
        facility = self.facility
        for name, asked in self.asked.items():
            limits = asked.limits(places.get(name, NO_LIMITS) if name else facility, answers.get(name))
            if name:
                places[name] = limits
            else:
                facility = limits
        return replace(self, places=places, facility=facility, uncertain=uncertain)

    @property
    def has_quotas(self) -> bool:
        """Whether a launch may be refused without regard to what is free now."""
        hours = any(one.hours is not None for one in (self.facility, *self.places.values()))
        return bool(self.person or self.proposal or self.classes or hours) or self.offer != EVERYTHING

    @property
    def has_capacity(self) -> bool:
        """Whether there is any limit of what places have at once."""
        limited = any(one.only_at_once for one in (self.facility, *self.places.values()))
        return bool(limited or self.reservations or self.asked)

    @property
    def longest_days(self) -> float:
        """The longest period over which hours are counted; 0 if none are."""
        limits = [self.person, self.proposal, self.facility, *self.places.values()]
        limits += [one for rule in self.classes.values() for one in (rule.each, rule.together)]
        return max((one.days for one in limits if one.hours is not None), default=0.0)

    def classes_of(self, groups: frozenset[str]) -> list[tuple[str, ClassRule]]:
        """Return the rules of the classes that people with these roles and groups are in (see `Demand.groups`)."""
        return [(name, rule) for name, rule in self.classes.items() if name in groups]

    def offer_for(self, groups: frozenset[str]) -> Offer:
        """Return what people with these roles and groups may launch (see `Demand.groups`)."""
        own = [rule for _, rule in self.classes_of(groups)]
        if not own:
            return self.offer
        applications, sizes = self.offer.applications or frozenset(), self.offer.sizes or frozenset()
        return Offer.of_classes([one.applications or applications for one in own], [one.sizes or sizes for one in own])

    @property
    def counted_groups(self) -> frozenset[str]:
        """The roles and groups by which sessions are counted."""
        return frozenset(self.classes).union(*(one.groups for one in self.reservations))

    def kind_of(self, demand: Demand) -> Hashable:
        """Return what `require_room` depends on: launches of one kind have room together, or none has."""
        reserved = tuple(one.is_for(demand) for one in self.reservations)
        return demand.place, demand.cpus, demand.memory_bytes, demand.gpus, demand.hours, reserved

    def share_of(self, demand: Demand) -> float:
        """Return the weight of a launch in the queue."""
        return max((rule.share for _, rule in self.classes_of(demand.groups)), default=1.0)

    def each_of(self, groups: frozenset[str]) -> Limits:
        """Return the limits of one person with these roles and groups: those of their classes, or of everybody."""
        own = [rule.each for _, rule in self.classes_of(groups) if rule.each]
        if not own:
            return self.person
        widest = own[0]
        for one in own[1:]:
            widest = widest.widened(one)
        return widest


def require_quota(rules: Rules, demand: Demand, sessions: Sequence[Occupied], now: float) -> None:
    """Check a launch against the limits of people, and the hours of its place and of the portal.

    Args:
        sessions: those that have not ended, without this one; and ended ones of the last `Rules.longest_days`.

    Raises:
        OverQuota: with the numbers.
    """
    _require_offered(rules, demand)
    for one in _scopes(rules, demand, sessions):
        _require(one.limits, demand, one.used, now, one.who, hours_remedy=one.hours_remedy)


def require_hours(rules: Rules, demand: Demand, sessions: Sequence[Occupied], now: float) -> None:
    """Check a session that runs, and is to last for longer, against the limits of hours.

    Args:
        sessions: as of `require_quota`.

    Raises:
        OverQuota: with the numbers.
    """
    for one in _scopes(rules, demand, sessions):
        _require(one.limits.only_hours, demand, one.used, now, one.who)


@dataclass(frozen=True)
class _Scope:
    """Limits that one launch is compared with; `who` begins the sentence: "You are"."""

    limits: Limits
    used: Sequence[Occupied]
    who: str
    hours_remedy: str = _ENDED_EARLY


def _scopes(rules: Rules, demand: Demand, sessions: Sequence[Occupied]) -> Iterator[_Scope]:
    own = [one for one in sessions if one.demand.user == demand.user]
    yield _Scope(rules.each_of(demand.groups), own, _YOU)
    for proposal in demand.proposals:
        used = [one for one in sessions if proposal in one.demand.proposals]
        yield _Scope(rules.proposal, used, f"Sessions of proposal {proposal} are")
    for name, rule in rules.classes_of(demand.groups):
        yield _Scope(rule.together, [one for one in sessions if name in one.demand.groups], f"{class_title(name)} are")
    if demand.place in rules.places:
        used = [one for one in sessions if one.demand.place == demand.place]
        who = f"Sessions in {rules.titles.get(demand.place, demand.place)} are"
        yield _Scope(rules.places[demand.place].only_hours, used, who, _ELSEWHERE)
    yield _Scope(rules.facility.only_hours, sessions, "All sessions of this portal are")


def class_title(name: str) -> str:
    """Return what pages call the people of a class, all together; `name` as in `Demand.groups`."""
    kind, _, title = name.partition(":")
    return f"All people with the role {title}" if kind == "role" else f"All people in the group {title}"


def require_room(
    rules: Rules, demand: Demand, sessions: Iterable[Occupied], now: float, *, apart_from: tuple[str, str] | None = None
) -> None:
    """Check whether there is capacity for a launch now.

    Raises:
        NoRoom: with the numbers.
    """
    open_ = [one for one in sessions if one.ended is None and one.demand.key != apart_from]
    for place, limits in ((demand.place, rules.places.get(demand.place, NO_LIMITS)), ("", rules.facility)):
        here = [one for one in open_ if place in ("", one.demand.place)]
        of_place = [one for one in rules.reservations if one.place == place and limits.sessions]
        kept = [(one, one.held_against(demand, here, now)) for one in of_place]
        held = sum(count for _, count in kept)
        title = rules.titles.get(place, place) if place else "The portal"
        for name, unit, shown in UNITS:
            limit, needed, used = getattr(limits, name), needs(demand, name), sum(needs(o.demand, name) for o in here)
            reserved = held if name == "sessions" else 0
            if limit is None or used + reserved + needed <= limit:
                continue
            remedy = "Choose another place, or try again later." if place else "Try again later."
            words = f"{title} is full: {shown(used)} of {shown(limit)} {unit} are in use"
            words += f", {reserved} reserved" if reserved else ""
            words += "." if name == "sessions" else f", and this session needs {shown(needed)}."
            # a backend that does not answer may have more by the time it does
            is_never = needed > limit and place not in rules.uncertain
            if is_never:
                words = f"{title} has {shown(limit)} {unit}, and this session needs {shown(needed)}."
                remedy = "Choose a smaller size."
            held_for = tuple(one for one, count in kept if count) if used + needed <= limit and reserved else ()
            raise NoRoom(words, remedy=remedy, place=place, is_never=is_never, held_for=held_for)


def use_of(rules: Rules, place: str, sessions: Iterable[Occupied]) -> dict[str, tuple[float, float]]:
    """Return what is in use of each resource limited at once, and its limit; place "" is the whole portal."""
    limits = rules.places.get(place, NO_LIMITS) if place else rules.facility
    here = [one for one in sessions if place in ("", one.demand.place)]
    return {one.resource: (one.used, one.limit) for one in uses_of(limits.only_at_once, here, 0.0)}


def _require_offered(rules: Rules, demand: Demand) -> None:
    offer = rules.offer_for(demand.groups)
    for what, name, allowed in (
        ("application", demand.application, offer.applications),
        ("size", demand.size, offer.sizes),
    ):
        if allowed is not None and name not in allowed:
            known = ", ".join(sorted(allowed))
            raise NotOffered(f"The {what} {name} is not available to you.", remedy=f"Available: {known}.")


def _require(
    limits: Limits, demand: Demand, used: Sequence[Occupied], now: float, who: str, *, hours_remedy: str = _ENDED_EARLY
) -> None:
    """Check one scope (see `_Scope`)."""
    remedy = _SMALLER if who == _YOU else "Wait until one of these sessions ends, or choose a smaller size."
    for use in uses_of(limits, used, now) if limits else ():
        if not use.is_beyond(demand):
            continue
        if use.resource == "hours":
            raise OverQuota(
                f"{who} using {in_words(use.used)} of {in_words(use.limit)} hours in {in_words(use.days)} days, "
                f"and this session may last {in_words(demand.hours)}.",
                remedy=hours_remedy,
            )
        unit, shown = SHOWN[use.resource]
        raise OverQuota(
            f"{who} using {shown(use.used)} of {shown(use.limit)} {unit}, "
            f"and this session needs {shown(needs(demand, use.resource))}.",
            remedy=remedy,
        )
