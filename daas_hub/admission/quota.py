"""Quotas and capacity: what is in use and what is requested, compared with the limits. Pure.

A **quota** is of people: of each person, of a proposal, of a role or a group. A launch beyond it is refused, with the
numbers. **Capacity** is what a place or the whole portal has; a launch beyond it may wait in the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

from daas_hub.admission.model import Demand, Occupied
from daas_hub.admission.offer import Offer
from daas_hub.errors import Refused

DAY_S = 86_400.0
_YOU = "You are"
_SMALLER = "Stop a session, or choose a smaller size."


class OverQuota(Refused):
    """A launch beyond a quota, or one that its person's class does not have."""

    reason = "quota"


class NoRoom(Refused):
    """A launch for which there is no capacity now.

    Attributes:
        place: the place that is full; "" for the whole portal.
        is_never: it needs more than there is when nothing else runs.
        held_for: the reservations for others without which a session would be free; () if none is.
    """

    reason = "capacity"

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
class Limits:
    """The most that is in use at once, and the most hours of sessions in the last `days`; None for no limit."""

    sessions: int | None = None
    cpus: float | None = None
    memory_bytes: float | None = None
    gpus: int | None = None
    hours: float | None = None
    days: float = 30.0

    def __bool__(self) -> bool:
        """Return whether there is a limit at all."""
        return any(getattr(self, one.name) is not None for one in fields(self) if one.name != "days")

    def widened(self, other: Limits) -> Limits:
        """Return the higher of both for each resource: a person with two roles has what the better one allows."""
        chosen = {}
        for name in ("sessions", "cpus", "memory_bytes", "gpus", "hours"):
            mine, theirs = getattr(self, name), getattr(other, name)
            chosen[name] = None if mine is None or theirs is None else max(mine, theirs)
        return Limits(**chosen, days=self.days if self.hours == chosen["hours"] else other.days)


NO_LIMITS = Limits()


@dataclass(frozen=True)
class ClassRule:
    """What a class of people (a role or a group) may use.

    Attributes:
        each: of each of them; it replaces the limits of every person.
        together: of all of them together.
        sizes, applications: the only ones for them; empty for all.
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
        return bool(self.proposals & set(demand.proposals) or self.groups & demand.groups)

    def held_against(self, demand: Demand, occupied: Iterable[Occupied], now: float) -> int:
        """Return how many sessions are kept free from this launch: those not used yet by whom they are for.

        A session may last as long as its time limit, so it is kept from one that could still run when it begins.
        """
        if self.is_for(demand) or now >= self.end or now + demand.hours * 3600 <= self.start:
            return 0
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
        classes: by "role:NAME" or "group:NAME".
        places: what each place has; `titles` are what pages call them.
        facility: what the whole portal has.
        asked: what the backend of a place is asked for; "" for the only backend, whose answer is of the facility.
        uncertain: places of which the backend's capacity is not known now.
    """

    person: Limits = NO_LIMITS
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
        """Whether there is any limit of people."""
        return bool(self.person or self.proposal or self.classes)

    @property
    def has_capacity(self) -> bool:
        """Whether there is any limit of places."""
        return bool(self.facility or any(self.places.values()) or self.reservations or self.asked)

    @property
    def longest_days(self) -> float:
        """The longest period over which hours are counted; 0 if none are."""
        limits = [self.person, self.proposal]
        limits += [one for rule in self.classes.values() for one in (rule.each, rule.together)]
        return max((one.days for one in limits if one.hours is not None), default=0.0)

    def classes_of(self, demand: Demand) -> list[tuple[str, ClassRule]]:
        """Return the rules of the classes that a person is in."""
        return [(name, rule) for name, rule in self.classes.items() if name in demand.groups]

    def offer_for(self, groups: frozenset[str]) -> Offer:
        """Return what people with these roles and groups may launch (see `Demand.groups`)."""
        own = [rule for name, rule in self.classes.items() if name in groups]
        return Offer.of_classes([rule.applications for rule in own], [rule.sizes for rule in own])

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
        return max((rule.share for _, rule in self.classes_of(demand)), default=1.0)

    def each_of(self, demand: Demand) -> Limits:
        """Return the limits of one person: those of their classes, or of everybody."""
        own = [rule.each for _, rule in self.classes_of(demand) if rule.each]
        if not own:
            return self.person
        widest = own[0]
        for one in own[1:]:
            widest = widest.widened(one)
        return widest


def require_quota(rules: Rules, demand: Demand, sessions: Sequence[Occupied], now: float) -> None:
    """Check a launch against the limits of people.

    Args:
        sessions: those that have not ended, without this one; and ended ones of the last `Rules.longest_days`.

    Raises:
        OverQuota: with the numbers.
    """
    _require_offered(rules, demand)
    each = rules.each_of(demand)
    _require(each, demand, [one for one in sessions if one.demand.user == demand.user], now, _YOU)
    for proposal in demand.proposals:
        used = [one for one in sessions if proposal in one.demand.proposals]
        _require(rules.proposal, demand, used, now, f"Sessions of proposal {proposal} are")
    for name, rule in rules.classes_of(demand):
        kind, _, title = name.partition(":")
        used = [one for one in sessions if name in one.demand.groups]
        _require(rule.together, demand, used, now, f"All people with the {kind} {title} are")


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
        for name, unit, shown in _UNITS:
            limit, needs, used = getattr(limits, name), _needs(demand, name), sum(_needs(o.demand, name) for o in here)
            reserved = held if name == "sessions" else 0
            if limit is None or used + reserved + needs <= limit:
                continue
            remedy = "Choose another place, or try again later." if place else "Try again later."
            words = f"{title} is full: {shown(used)} of {shown(limit)} {unit} are in use"
            words += f", {reserved} reserved" if reserved else ""
            words += "." if name == "sessions" else f", and this session needs {shown(needs)}."
            # a backend that does not answer may have more by the time it does
            is_never = needs > limit and place not in rules.uncertain
            if is_never:
                words = f"{title} has {shown(limit)} {unit}, and this session needs {shown(needs)}."
                remedy = "Choose a smaller size."
            held_for = tuple(one for one, count in kept if count) if used + needs <= limit and reserved else ()
            raise NoRoom(words, remedy=remedy, place=place, is_never=is_never, held_for=held_for)


def use_of(rules: Rules, place: str, sessions: Iterable[Occupied]) -> dict[str, tuple[float, float]]:
    """Return what is in use of each limited resource, and its limit; place "" is the whole portal."""
    limits = rules.places.get(place, NO_LIMITS) if place else rules.facility
    here = [one.demand for one in sessions if one.ended is None and place in ("", one.demand.place)]
    return {
        name: (sum(_needs(one, name) for one in here), limit)
        for name, _, _ in _UNITS
        if (limit := getattr(limits, name)) is not None
    }


def _require_offered(rules: Rules, demand: Demand) -> None:
    offer = rules.offer_for(demand.groups)
    for what, name, allowed in (
        ("application", demand.application, offer.applications),
        ("size", demand.size, offer.sizes),
    ):
        if allowed is not None and name not in allowed:
            known = ", ".join(sorted(allowed))
            raise OverQuota(f"The {what} {name} is not available to you.", remedy=f"Available: {known}.")


def _require(limits: Limits, demand: Demand, used: Sequence[Occupied], now: float, who: str) -> None:
    """Check one scope; `who` begins the sentence: "You are", "Sessions of proposal MA-4242 are"."""
    if not limits:
        return
    remedy = _SMALLER if who == _YOU else "Wait until one of these sessions ends, or choose a smaller size."
    open_ = [one for one in used if one.ended is None]
    for name, unit, shown in _UNITS:
        limit = getattr(limits, name)
        has, needs = sum(_needs(one.demand, name) for one in open_), _needs(demand, name)
        if limit is not None and has + needs > limit:
            raise OverQuota(
                f"{who} using {shown(has)} of {shown(limit)} {unit}, and this session needs {shown(needs)}.",
                remedy=remedy,
            )
    if limits.hours is not None:
        since = now - limits.days * DAY_S
        has = sum(one.hours_since(since, now) for one in used if one.ended is None or one.ended > since)
        if has + demand.hours > limits.hours:
            raise OverQuota(
                f"{who} using {_number(has)} of {_number(limits.hours)} hours in {_number(limits.days)} days, "
                f"and this session may last {_number(demand.hours)}.",
                remedy="Sessions that are stopped early use fewer hours.",
            )


def _needs(demand: Demand, name: str) -> float:
    return 1 if name == "sessions" else float(getattr(demand, name))


def _number(value: float) -> str:
    return f"{value:.10g}" if value == int(value) else f"{value:.1f}"


def _memory(value: float) -> str:
    return f"{_number(value / 2**30)} GiB"


_UNITS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("sessions", "sessions", _number),
    ("cpus", "CPUs", _number),
    ("memory_bytes", "of memory", _memory),
    ("gpus", "GPUs", _number),
)
