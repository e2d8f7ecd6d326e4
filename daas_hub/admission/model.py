"""What admission decides about: a launch and what it needs, and a session that has its resources. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from daas_hub.launch import Plan


@dataclass(frozen=True)
class Demand:
    """What one launch needs, and for whom.

    Attributes:
        user: the person's name in the hub.
        proposals: ids; () for an own resource.
        groups: the person's roles and groups, as "role:guest" and "group:students".
        place: the name of the place; "" where there is only one backend.
        hours: its time limit; of a session that runs, with its extensions.
        beamtimes: when its visits take place, as begin and end in seconds since 1970.
    """

    user: str
    session: str
    application: str
    size: str
    cpus: float
    memory_bytes: float
    hours: float
    gpus: int = 0
    proposals: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    place: str = ""
    beamtimes: tuple[tuple[float, float], ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """The session: unique among all of the hub."""
        return self.user, self.session

    def is_beamtime(self, now: float) -> bool:
        """Return whether one of its visits takes place."""
        return any(begin <= now < end for begin, end in self.beamtimes)

    def as_json(self) -> dict[str, Any]:
        """Return it for the database: names and numbers only."""
        return asdict(self) | {"proposals": list(self.proposals), "groups": sorted(self.groups)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Demand:
        """Return what `as_json` returned, also that of another release."""
        known = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        times = tuple((begin, end) for begin, end in known.get("beamtimes", ()))
        return cls(
            **known | {"proposals": tuple(known["proposals"]), "groups": frozenset(known["groups"]), "beamtimes": times}
        )


@dataclass(frozen=True)
class Occupied:
    """A session that has been admitted.

    Attributes:
        admitted, started, ended: seconds since 1970; None for what has not happened.
    """

    demand: Demand
    admitted: float
    started: float | None = None
    ended: float | None = None

    def hours_since(self, since: float, now: float) -> float:
        """Return the hours that count from `since` on; a session that has not ended counts with its time limit."""
        if self.ended is None:
            return max(self.demand.hours, (now - self.admitted) / 3600)
        if self.started is None:
            return 0.0
        return max(0.0, self.ended - max(self.started, since)) / 3600


def demand_of(plan: Plan, user: str, session: str) -> Demand:
    """Return what an authorised launch needs."""
    return Demand(
        user=user,
        session=session,
        application=plan.application.name,
        size=plan.size.name,
        cpus=plan.size.cpus,
        memory_bytes=plan.size.memory_bytes,
        hours=plan.limits.longest_s / 3600,
        gpus=plan.size.gpus,
        proposals=tuple(dict(plan.visits)) or ((plan.proposal_id,) if plan.proposal_id else ()),
        groups=plan.person_groups,
        place=plan.place,
        beamtimes=plan.beamtimes,
    )
