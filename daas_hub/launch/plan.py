"""The plan: everything a spawner needs, decided beforehand. Pure.

It joins what the facility knows (account, proposal), what the administrator configured (catalogue, layout) and what the
user requested into one frozen record, so that a backend has nothing to look up.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Size
from daas_hub.launch.choices import Choice
from daas_hub.launch.mounts import Mount, MountPolicy, mounts_of
from daas_hub.launch.real_paths import Alias, real_paths
from daas_hub.lifetime import UNLIMITED, Limits
from daas_hub.proposals.model import WALL_CLOCK


@dataclass(frozen=True)
class Plan:
    """One session, decided.

    Attributes:
        desktops: the desktop applications in its menu, starting with its own.
        visits: several visits, as proposal and number; then there is no `proposal_id` and no `visit_number`.
        beamlines: those of its visits, for backends that run the sessions of a beamline on computers of their own.
        temporary_home: the home is empty, in memory, and deleted with the session; it is not among `mounts`.
        place: the name of the place where it runs; "" where there is only one backend.
        limits: how long it may last.
        person_groups: roles and groups of the person who launches, as "role:guest" and "group:students"; what quotas
            are set for. The account may be another one.
        beamtimes: when its visits take place, as begin and end in seconds since 1970.
    """

    account: Account
    application: Application
    size: Size
    mounts: tuple[Mount, ...]
    proposal_id: str | None = None
    proposal_title: str = ""
    visit_number: int | None = None
    desktops: tuple[Application, ...] = ()
    environment: dict[str, str] = field(default_factory=dict, hash=False)
    aliases: tuple[Alias, ...] = ()
    timezone: str = "UTC"
    visits: tuple[tuple[str, int], ...] = ()
    beamlines: tuple[str, ...] = ()
    temporary_home: bool = False
    place: str = ""
    limits: Limits = UNLIMITED
    person_groups: frozenset[str] = frozenset()
    beamtimes: tuple[tuple[float, float], ...] = ()

    @property
    def home(self) -> str:
        """The path of the home directory inside the session, wherever it is on the storage."""
        return f"/home/{self.account.name}"

    def real_paths_of(self, mount: Mount) -> tuple[str, ...]:
        """Return the facility's own paths under which a directory also appears in the session."""
        return real_paths(mount.source, self.aliases, self.home) if mount.has_real_path else ()

    @property
    def proposals(self) -> str:
        """The ids of its proposals as text, for records; "" for an own resource."""
        return ", ".join(dict(self.visits)) or self.proposal_id or ""

    def opened(self, mounts: Iterable[Mount]) -> Plan:
        """Return the plan with the directories that were opened: patterns resolved, missing optional ones left out."""
        return replace(self, mounts=tuple(mounts))

    @property
    def title(self) -> str:
        """The session's title: application, proposal, visit; and that its home is temporary."""
        return ", ".join(one for one in (self.application.title, self._on, self._home_words) if one)

    @property
    def belongs_to(self) -> str:
        """The same without the application, for the title of a page that names the application itself."""
        return ", ".join(one for one in (self._on or "own resources", self._home_words) if one)

    @property
    def _home_words(self) -> str:
        return "temporary home" if self.temporary_home else ""

    @property
    def _on(self) -> str:
        if self.visits:
            proposals = len(dict(self.visits))
            few = " and ".join(f"{proposal} visit {visit}" for proposal, visit in self.visits)
            many = f"{len(self.visits)} visits of {proposals} proposal{'s' if proposals > 1 else ''}"
            return few if len(self.visits) == 2 else many
        return "" if self.proposal_id is None else f"{self.proposal_id} visit {self.visit_number}"


def make_plan(choice: Choice, account: Account, policy: MountPolicy, desktops: tuple[Application, ...]) -> Plan:
    """Return the plan of an allowed choice, for this account and the facility's layout.

    Raises:
        StorageProblem: the resulting paths are not allowed.
    """
    # applications in another image are not available in this session
    here = [one for one in desktops if one.image == choice.application.image]
    menu = sorted(here, key=lambda application: application.name != choice.application.name)
    return Plan(
        account=account,
        application=choice.application,
        size=choice.size,
        mounts=mounts_of(choice, account, policy),
        proposal_id=choice.proposal.id if choice.proposal else None,
        proposal_title=choice.proposal.title if choice.proposal else "",
        visit_number=choice.visit.number if choice.visit else None,
        desktops=tuple(menu),
        environment=dict(choice.application.environment),
        aliases=policy.aliases,
        visits=tuple((proposal.id, visit.number) for proposal, visit in choice.several),
        timezone=policy.time_zone.key if policy.time_zone else "UTC",
        beamlines=_beamlines_of(choice),
        temporary_home=choice.temporary_home,
        limits=Limits(longest_s=choice.size.hours * 3600),
    )


def groups_for_quotas(roles: Iterable[str], memberships: Iterable[str]) -> frozenset[str]:
    """Return a person's roles and groups as `Plan.person_groups` has them."""
    return frozenset(f"role:{one}" for one in roles) | frozenset(f"group:{one}" for one in memberships)


def beamtimes_of(choice: Choice, zone: datetime.tzinfo) -> tuple[tuple[float, float], ...]:
    """Return begin and end of each visit that has both, in seconds since 1970.

    Args:
        zone: of times without one. An end without a time is the end of that day.
    """
    return tuple(
        (_moment(visit.start, zone), _moment(visit.end, zone, is_end=True))
        for _, visit in choice.visits
        if visit.start is not None and visit.end is not None
    )


def _moment(moment: datetime.datetime, zone: datetime.tzinfo, *, is_end: bool = False) -> float:
    # "is": all zones without an offset are equal
    if moment.tzinfo is not None and moment.tzinfo is not WALL_CLOCK:
        return moment.timestamp()
    is_day = is_end and moment.time() == datetime.time()
    return (moment.replace(tzinfo=zone) + datetime.timedelta(days=is_day)).timestamp()


def _beamlines_of(choice: Choice) -> tuple[str, ...]:
    """Return the beamline of each visit, or the first of its proposal where the facility does not say it of visits."""
    names = (visit.beamline or next(iter(proposal.beamlines), "") for proposal, visit in choice.visits)
    return tuple(dict.fromkeys(name for name in names if name))
