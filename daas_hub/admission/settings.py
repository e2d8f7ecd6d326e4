"""The administrator's quotas and queue."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from traitlets import Bool, Dict, Float, Int, List
from traitlets.config import Config, Configurable

from daas_hub.admission.backend_capacity import Asked
from daas_hub.admission.limits import Limits
from daas_hub.admission.limits_reading import DictReader, capacity_of, limits_of, wrong
from daas_hub.admission.offer import Offer
from daas_hub.admission.queue import QueuePolicy
from daas_hub.admission.quota import ClassRule, Reservation, Rules
from daas_hub.catalogue import Catalogue
from daas_hub.errors import ConfigurationError
from daas_hub.launch import Place

_OFFER_KEYS = ("sizes", "applications")
_CLASS_KEYS = ("together", *_OFFER_KEYS, "share")
_RESERVATION_KEYS = ("start", "end", "sessions", "place", "proposals", "roles", "groups")


class Quotas(Configurable):
    """What people may use, and what places have. A launch beyond a quota is refused with the numbers."""

    person = Dict(
        config=True,
        help="""
        Limits of each person: `sessions`, `cpus`, `memory` ("64 GiB"), `gpus` at the same time,
        and `hours` of sessions in the last `days` (30 by default). Sessions without a proposal count, too. A running
        session counts with its whole time limit. In addition: `sizes` and `applications`, the only ones for people
        whose roles and groups (`roles`, `groups`) do not name others. Example: {"sessions": 4, "cpus": 16, "memory":
        "64 GiB", "hours": 200, "days": 30, "sizes": ["small"]}. Default: none, only `Facility.sessions_per_person`.
        """,
    )
    proposal = Dict(
        config=True,
        help="""
        Limits of each proposal, all its people together: `sessions`, `cpus`, `memory`, `gpus`, `hours` and `days` as
        those of `person`. Example: {"cpus": 64}. Default: none.
        """,
    )
    roles = Dict(
        config=True,
        help="""
        Classes of people, by role (see `RoleRules.role_groups`). The keys of `person` are then
        the limits of each of them, instead of those of `person`; of a person with several classes the higher limits
        count. In addition: `together` (limits of all of them together, with the same keys), `sizes` and `applications`
        (the only ones they may use, instead of those of `person`), `share` (their weight in the queue, 1 by default).
        Example: {"guest": {"sessions": 1, "sizes": ["small"], "together": {"sessions": 10}}}. Default: none.
        """,
    )
    groups = Dict(
        config=True,
        help='Classes of people, by group; as `roles`. Example: {"summer-school": {"sessions": 1}}. Default: none.',
    )
    places = Dict(
        config=True,
        help="""
        Capacity of places (see `Places.places`), each with `sessions`, `cpus`, `memory`, `gpus`; "sessions" takes
        precedence over the place's `capacity`. "ask" instead of a number asks the backend: on Kubernetes the quotas of
        the namespace, on Docker the engine, for sandboxes this machine. `reserve` is what sessions cannot have of that;
        of a machine 1 GiB of memory by default. `hours` of all sessions there in the last `days` (30 by default) are a
        quota: a launch beyond it is refused, and does not wait. Example: {"large": {"cpus": 256, "gpus": 4, "hours":
        5000}, "cluster": {"cpus": "ask", "memory": "ask"}}. Default: none.
        """,
    )
    facility = Dict(
        config=True,
        help="""
        Capacity of the whole portal: `sessions`, `cpus`, `memory`, `gpus`, and its `hours` in the last `days` as in
        `places`. Where the portal has one backend only, "ask" and `reserve` are possible as in `places`.
        `JupyterHub.active_server_limit` is a limit of sessions, too. Example: {"sessions": 50, "memory": "ask",
        "reserve": {"memory": "8 GiB"}}. Default: none.
        """,
    )
    ask_interval_s = Float(
        30.0,
        min=1.0,
        config=True,
        help="""
        Interval in seconds at which a backend is queried for its capacity. While it does not answer, its last
        answer counts, and no launch is refused for good because of it. Default: 30.
        """,
    )

    def rules(self, config: Config, places: Iterable[Place], reservations: tuple[Reservation, ...] = ()) -> Rules:
        """Return the limits.

        Raises:
            ConfigurationError: a limit is not valid.
        """
        known = {one.name: one for one in places}
        capacity = {name: Limits(sessions=one.capacity) for name, one in known.items() if one.capacity is not None}
        asked: dict[str, Asked] = {}
        for name, given in self.places.items():
            if name not in known:
                near = get_close_matches(str(name), known, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else "Use a name of Places.places."
                raise wrong("Quotas.places", name, "is not a place", remedy)
            limits, asks = capacity_of(f"Quotas.places[{name!r}]", given)
            if asks is not None:
                asked[name] = asks
            own = capacity.get(name, Limits()).sessions
            capacity[name] = limits if limits.sessions is not None else _with_sessions(limits, own)
        facility, asks = capacity_of("Quotas.facility", self.facility)
        if asks is not None:
            if known:
                remedy = "Ask in Quotas.places, for each place."
                raise wrong("Quotas.facility", "ask", "asks one backend, and this portal has several places", remedy)
            asked[""] = asks
        stock = config.get("JupyterHub", {}).get("active_server_limit") or None
        if isinstance(stock, int):
            facility = _with_sessions(facility, min(stock, facility.sessions or stock))
        everybody = DictReader("Quotas.person", self.person)
        return Rules(
            person=limits_of("Quotas.person", self.person, others=_OFFER_KEYS),
            offer=Offer(everybody.names("applications") or None, everybody.names("sizes") or None),
            proposal=limits_of("Quotas.proposal", self.proposal),
            classes=self._classes("roles", "role") | self._classes("groups", "group"),
            places=capacity,
            titles={name: one.title for name, one in known.items()},
            facility=facility,
            reservations=reservations,
            asked=asked,
            # until the first answer
            uncertain=frozenset(asked),
        )

    def _classes(self, setting: str, kind: str) -> dict[str, ClassRule]:
        found = {}
        for name, given in getattr(self, setting).items():
            where = f"Quotas.{setting}[{name!r}]"
            reader = DictReader(where, given)
            each = limits_of(where, given, others=_CLASS_KEYS)
            share = reader.number("share", 1.0)
            if not 0.01 <= share <= 100:
                raise wrong(f"{where}['share']", share, "is not a number from 0.01 to 100", "Use 1 for most people.")
            found[f"{kind}:{name}"] = ClassRule(
                each=each,
                together=limits_of(f"{where}['together']", reader.given.get("together", {})),
                sizes=reader.names("sizes"),
                applications=reader.names("applications"),
                share=share,
            )
        return found


class Queue(Configurable):
    """The queue of launches for which there is no room."""

    enabled = Bool(
        False,
        config=True,
        help="""
        Whether a launch from the portal's pages waits while the capacity is in use (`Quotas.facility`, `Quotas.places`,
        `Places.places`), and starts by itself when its turn comes. Starts by the REST API do not wait; they are refused
        with the numbers. Default: False, every launch without room is refused.
        """,
    )
    tickets_per_person = Int(
        3,
        min=1,
        config=True,
        help="Maximum number of launches of one person that wait. They count in the person's quota. Default: 3.",
    )
    person_minutes = Float(
        10.0,
        min=0,
        config=True,
        help="""
        Fairness between people: each session that a person has, and each launch that waits before, counts as if this
        one had come this number of minutes later. 0 serves in the order of arrival. Default: 10.
        """,
    )
    proposal_minutes = Float(
        2.0,
        min=0,
        config=True,
        help="Fairness between proposals, as `person_minutes`, for the sessions of the same proposal. Default: 2.",
    )
    max_handicap_minutes = Float(
        60.0,
        min=0,
        config=True,
        help="""
        Maximum of both together: in a place nobody is overtaken by a launch that came more than this later (or than
        `patience_minutes`, if that is longer), except with `beamtime_first` and `reservations`. Default: 60.
        """,
    )
    beamtime_first = Bool(
        False,
        config=True,
        help="""
        Whether a launch on a visit that takes place now counts as if it had come `beamtime_lead_minutes` earlier. It
        may overtake others that came up to that and `max_handicap_minutes` before it. Running sessions are not ended
        for it. Default: False.
        """,
    )
    beamtime_lead_minutes = Float(720.0, min=0, config=True, help="See `beamtime_first`. Default: 720, half a day.")
    patience_minutes = Float(
        15.0,
        min=0,
        config=True,
        help="""
        A large launch that does not fit lets smaller ones pass for this time; then
        the room that becomes free is kept for it. Default: 15.
        """,
    )
    retry_seconds = Float(
        30.0,
        min=1,
        config=True,
        help="""
        Seconds until a launch is tried again after the backend had no room for it,
        doubled every time up to ten minutes. It keeps its place and its age. Default: 30.
        """,
    )
    reservations = List(
        Dict(),
        config=True,
        help="""
        Sessions that are kept free for a course or a beamtime: `start` and `end` (ISO
        8601, in the facility's time zone unless they say another), `sessions`, optionally `place`, and for whom:
        `proposals`, `roles`, `groups`. A session that could still run when it begins may not use them; running ones are
        not ended. Needs a capacity of `sessions`. Example: [{"start": "2026-09-01T09:00", "end": "2026-09-01T17:00",
        "sessions": 20, "groups": ["summer-school"]}]. Default: none.
        """,
    )

    def policy(self) -> QueuePolicy:
        """Return the numbers of the order."""
        return QueuePolicy(
            person_step_s=60 * self.person_minutes,
            proposal_step_s=60 * self.proposal_minutes,
            max_handicap_s=60 * self.max_handicap_minutes,
            beamtime_lead_s=60 * self.beamtime_lead_minutes if self.beamtime_first else 0.0,
            patience_s=60 * self.patience_minutes,
        )

    def reserved(self, zone: datetime.tzinfo, places: Iterable[Place]) -> tuple[Reservation, ...]:
        """Return the reservations.

        Raises:
            ConfigurationError: one is not valid.
        """
        names = {one.name for one in places}
        return tuple(self._reservation(number, one, zone, names) for number, one in enumerate(self.reservations))

    @staticmethod
    def _reservation(number: int, given: Mapping[str, Any], zone: datetime.tzinfo, places: set[str]) -> Reservation:
        where = f"Queue.reservations[{number}]"
        reader = DictReader(where, given)
        reader.require_known(_RESERVATION_KEYS)
        start, end = (reader.moment(key, zone) for key in ("start", "end"))
        if end <= start:
            raise wrong(f"{where}['end']", given["end"], "is not after its start", "Check both.")
        place = given.get("place", "")
        if place and place not in places:
            raise wrong(f"{where}['place']", place, "is not a place", "Use a name of Places.places.")
        groups = {f"role:{one}" for one in reader.names("roles")} | {f"group:{one}" for one in reader.names("groups")}
        proposals = reader.names("proposals")
        if not groups and not proposals:
            raise wrong(where, dict(given), "is for nobody", "Name proposals, roles or groups.")
        return Reservation(start, end, reader.count("sessions"), place, proposals, frozenset(groups))


def admission_problems(
    config: Config, places: tuple[Place, ...], zone: datetime.tzinfo, catalogue: Catalogue, *, sessions_per_person: int
) -> list[ConfigurationError]:
    """Return what is wrong with quotas and queue, for check-config.

    Args:
        sessions_per_person: `Facility.sessions_per_person`.
    """
    quotas, queue = Quotas(config=config), Queue(config=config)
    try:
        rules = quotas.rules(config, places, queue.reserved(zone, places))
    except ConfigurationError as problem:
        return [problem]
    problems = [
        *_reservation_problems(rules),
        *_catalogue_problems(rules, catalogue),
        *_problems_of_sessions(rules, sessions_per_person),
    ]
    if queue.enabled and not rules.has_capacity:
        remedy = 'Set a capacity, for example c.Quotas.facility = {"sessions": 50}, or remove the line.'
        problems.append(wrong("Queue.enabled", True, "there is no capacity, so nobody would ever wait", remedy))
    return problems


def _reservation_problems(rules: Rules) -> Iterator[ConfigurationError]:
    """Yield an error for each reservation of more sessions than there are."""
    for one in rules.reservations:
        limits = rules.places.get(one.place, Limits()) if one.place else rules.facility
        whose = f"the place {one.place!r}" if one.place else "the portal"
        if "sessions" in getattr(rules.asked.get(one.place), "resources", ()):
            continue
        if limits.sessions is None or limits.sessions < one.sessions:
            remedy = 'Set a capacity of at least as many "sessions" in Quotas.facility or Quotas.places.'
            message = f"{whose} has {limits.sessions or 'no limit of'} sessions"
            yield wrong("Queue.reservations", f"{one.sessions} sessions", message, remedy)


def _problems_of_sessions(rules: Rules, most: int) -> Iterator[ConfigurationError]:
    """Yield an error for each number of sessions of a person that `Facility.sessions_per_person` does not let have."""
    limits = {"Quotas.person": rules.person}
    for name, rule in rules.classes.items():
        kind, _, title = name.partition(":")
        limits[f"Quotas.{kind}s[{title!r}]"] = rule.each
    for where, one in limits.items():
        if one.sessions is not None and one.sessions > most:
            message = f"is more than Facility.sessions_per_person, which is {most}, lets each person have"
            remedy = f"Set c.Facility.sessions_per_person = {one.sessions}, or write a lower number."
            yield wrong(f"{where}['sessions']", one.sessions, message, remedy)


def _catalogue_problems(rules: Rules, catalogue: Catalogue) -> Iterator[ConfigurationError]:
    """Yield an error for each size and application of the quotas that the catalogue does not have."""
    none: frozenset[str] = frozenset()
    offers = [("Quotas.person", rules.offer.sizes or none, rules.offer.applications or none)]
    for name, rule in rules.classes.items():
        kind, _, title = name.partition(":")
        offers.append((f"Quotas.{kind}s[{title!r}]", rule.sizes, rule.applications))
    for where, sizes, applications in offers:
        named: tuple[tuple[str, frozenset[str], Mapping[str, object]], ...] = (
            ("sizes", sizes, catalogue.sizes),
            ("applications", applications, catalogue.applications),
        )
        for key, wanted, known in named:
            for one in sorted(wanted - set(known)):
                near = get_close_matches(one, known, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."
                yield wrong(f"{where}[{key!r}]", one, "is not in the catalogue", remedy)


def _with_sessions(limits: Limits, sessions: int | None) -> Limits:
    return Limits(sessions, limits.cpus, limits.memory_bytes, limits.gpus, limits.hours, limits.days)
