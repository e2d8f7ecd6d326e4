"""A notice, and when it is shown."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum, auto

from daas_hub.errors import Refused


class Kind(StrEnum):
    """What a notice does."""

    #: It is shown on every page.
    BANNER = auto()
    #: It is shown on every page until the person has pressed its button.
    ACKNOWLEDGE = auto()
    #: It is shown with a countdown; no session starts after it has begun.
    MAINTENANCE = auto()


class Level(StrEnum):
    """How urgent a notice is."""

    INFO = auto()
    WARNING = auto()
    CRITICAL = auto()


class InMaintenance(Refused):
    """No session starts during a maintenance. A launch that waits in the queue keeps its place."""

    reason = "maintenance"


@dataclass(frozen=True)
class Notice:
    """One notice. Times are seconds since 1970.

    Attributes:
        id: 0 before it is stored.
        text: plain text of one or several lines; markup in it is shown as it was typed.
        begins: of a maintenance, when sessions no longer start.
        ends: None until it is withdrawn.
        stops_sessions_at: of a maintenance, when running sessions are ended; None if they continue.
        in_sessions: of a banner, whether the pages of running sessions show it, too.
        audience: whom it is for, as "role:NAME", "group:NAME" and "beamline:NAME"; None for everybody.
        made_by: the hub's name of the administrator or service.
    """

    kind: Kind
    text: str
    begins: float
    level: Level = Level.INFO
    ends: float | None = None
    stops_sessions_at: float | None = None
    in_sessions: bool = False
    audience: frozenset[str] | None = None
    made_by: str = ""
    made_at: float = 0.0
    id: int = 0

    def is_for(self, classes: Collection[str]) -> bool:
        """Return whether it is for a person with these roles, groups and beamlines (see `audience`)."""
        return self.audience is None or not self.audience.isdisjoint(classes)

    def is_over(self, now: float) -> bool:
        """Return whether it has ended."""
        return self.ends is not None and self.ends <= now

    def is_active(self, now: float) -> bool:
        """Return whether it has begun and has not ended."""
        return self.begins <= now and not self.is_over(now)

    def is_shown(self, now: float) -> bool:
        """Return whether pages show it; a maintenance is announced as soon as it is known."""
        return not self.is_over(now) and (self.kind is Kind.MAINTENANCE or self.begins <= now)

    def concerns_sessions(self, now: float) -> bool:
        """Return whether pages of running sessions show it: a banner for them, or a maintenance that will end them."""
        if self.kind is Kind.MAINTENANCE:
            return self.stops_sessions_at is not None and now < self.stops_sessions_at
        return self.in_sessions and self.is_shown(now)

    def stops_sessions(self, now: float) -> bool:
        """Return whether sessions that still run are to be ended now."""
        return self.is_active(now) and self.stops_sessions_at is not None and self.stops_sessions_at <= now
