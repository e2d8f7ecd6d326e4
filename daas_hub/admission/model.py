"""What admission decides about: a launch and what it needs, and a session that has its resources. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
        hours: its time limit, without extensions.
        is_beamtime: one of its visits takes place now.
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
    is_beamtime: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """The session: unique among all of the hub."""
        return self.user, self.session

    def as_json(self) -> dict[str, Any]:
        """Return it for the database: names and numbers only."""
        return asdict(self) | {"proposals": list(self.proposals), "groups": sorted(self.groups)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Demand:
        """Return what `as_json` returned."""
        return cls(
            **values | {"proposals": tuple(values["proposals"]), "groups": frozenset(values["groups"])},
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
        is_beamtime=plan.is_beamtime,
    )
