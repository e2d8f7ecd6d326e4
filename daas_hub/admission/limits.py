"""Limits of people or of a place, and what is in use of each: one sum for refusals and for pages. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

from daas_hub.admission.model import Demand, Occupied

DAY_S = 86_400.0


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

    @property
    def only_hours(self) -> Limits:
        """The limit of hours alone, which no waiting in line makes free."""
        return Limits(hours=self.hours, days=self.days)

    @property
    def only_at_once(self) -> Limits:
        """The limits of what is in use at once."""
        return Limits(self.sessions, self.cpus, self.memory_bytes, self.gpus)

    def widened(self, other: Limits) -> Limits:
        """Return the higher of both for each resource: a person with two roles has what the better one allows."""
        chosen = {}
        for name in ("sessions", "cpus", "memory_bytes", "gpus", "hours"):
            mine, theirs = getattr(self, name), getattr(other, name)
            chosen[name] = None if mine is None or theirs is None else max(mine, theirs)
        return Limits(**chosen, days=self.days if self.hours == chosen["hours"] else other.days)


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Use:
    """What is in use of one limited resource.

    Attributes:
        resource: a name of `Limits`; bytes for memory.
        days: the period of hours; 0 for what is in use at once.
        reserved: sessions that are kept for others.
    """

    resource: str
    used: float
    limit: float
    days: float = 0.0
    reserved: int = 0

    @property
    def left(self) -> float:
        """What a launch may need."""
        return max(0.0, self.limit - self.used - self.reserved)

    def is_beyond(self, demand: Demand) -> bool:
        """Return whether a launch needs more than is left."""
        return self.used + self.reserved + needs(demand, self.resource) > self.limit


def uses_of(limits: Limits, sessions: Iterable[Occupied], now: float) -> list[Use]:
    """Return what these sessions use of each limited resource.

    Args:
        sessions: open ones, and ended ones, of which only hours count.
    """
    sessions = list(sessions)
    open_ = [one.demand for one in sessions if one.ended is None]
    found = [
        Use(name, sum(needs(one, name) for one in open_), limit)
        for name, _, _ in UNITS
        if (limit := getattr(limits, name)) is not None
    ]
    if limits.hours is not None:
        since = now - limits.days * DAY_S
        used = sum(one.hours_since(since, now) for one in sessions if one.ended is None or one.ended > since)
        found.append(Use("hours", used, limits.hours, limits.days))
    return found


def needs(demand: Demand, resource: str) -> float:
    """Return what a launch needs of a resource (see `Use.resource`)."""
    return 1 if resource == "sessions" else float(getattr(demand, resource))


def in_words(value: float) -> str:
    """Return a number for people, with one digit after the point if it needs one."""
    return f"{value:.10g}" if value == int(value) else f"{value:.1f}"


def memory_in_words(value: float) -> str:
    """Return an amount of memory for people, in GiB."""
    return f"{in_words(value / 2**30)} GiB"


#: What is limited at once: its name, its unit in a sentence, and how an amount of it is written.
UNITS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("sessions", "sessions", in_words),
    ("cpus", "CPUs", in_words),
    ("memory_bytes", "of memory", memory_in_words),
    ("gpus", "GPUs", in_words),
)
SHOWN: dict[str, tuple[str, Callable[[float], str]]] = {name: (unit, shown) for name, unit, shown in UNITS}
