"""The order of the queue, and its guarantee: 10,000 arrivals, and nobody is overtaken by those who came much later."""

from __future__ import annotations

import functools
import heapq
import math
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.admission.limits import Limits
from daas_hub.admission.model import Demand, Occupied
from daas_hub.admission.queue import QueuePolicy, Waiting, in_order, next_change, next_to_start
from daas_hub.admission.quota import ClassRule, Reservation, Rules, require_room

from .scenes import NOW, demand, running

POLICY = QueuePolicy()
SCHOOL = frozenset({"group:school"})


def ticket(number: int, user: str, *, after_s: float = 0.0, **changes: object) -> Waiting:
    return Waiting(number, demand(user, f"s{number}", **changes), NOW + after_s)


def users(ordered: list[Waiting]) -> str:
    return "".join(one.demand.user for one in ordered)


def test_people_take_turns() -> None:
    line = [ticket(n, user, after_s=n) for n, user in enumerate("aaabcb")]
    assert users(in_order(line, [], POLICY, NOW)) == "abcaba"


def test_those_who_have_nothing_come_before_those_who_have_sessions() -> None:
    line = [ticket(1, "a"), ticket(2, "b", after_s=60)]
    assert users(in_order(line, [], POLICY, NOW)) == "ab"
    assert users(in_order(line, [running("a")], POLICY, NOW)) == "ba"
    assert users(in_order(line, [replace(running("a"), ended=NOW)], POLICY, NOW)) == "ab"


def test_a_proposal_does_not_fill_the_line() -> None:
    line = [ticket(n, user, after_s=n, proposals=("MA-1",)) for n, user in enumerate("abcd")]
    line.append(ticket(9, "x", after_s=30, proposals=("MA-2",)))
    assert users(in_order(line, [], POLICY, NOW)) == "axbcd"


def test_a_share_of_two_waits_half_as_long() -> None:
    rules = Rules(classes={"role:staff": ClassRule(share=2)})
    line = [ticket(1, "a", groups=frozenset({"role:staff"})), ticket(2, "b", after_s=400)]
    held = [running("a")]
    assert users(in_order(line, held, POLICY, NOW)) == "ba"
    assert users(in_order(line, held, POLICY, NOW, rules.share_of)) == "ab"


def test_waiting_alone_brings_a_ticket_forward() -> None:
    heavy = ticket(1, "a")
    held = [running("a", f"r{n}") for n in range(50)]
    assert users(in_order([heavy, ticket(2, "b", after_s=3599)], held, POLICY, NOW)) == "ba"
    assert users(in_order([heavy, ticket(2, "b", after_s=3601)], held, POLICY, NOW)) == "ab"


def test_a_beamtime_that_takes_place_goes_first_only_by_policy() -> None:
    line = [ticket(1, "a"), ticket(2, "b", after_s=60, beamtimes=((NOW - 60, NOW + 60),))]
    first = replace(POLICY, beamtime_lead_s=7200)
    assert users(in_order(line, [], POLICY, NOW)) == "ab"
    assert users(in_order(line, [], first, NOW)) == "ba"
    assert [users(in_order(line, [], first, NOW + s)) for s in (-61, -60, 59, 60)] == ["ab", "ba", "ba", "ab"]


def test_the_order_is_right_until_a_beamtime_begins_or_ends() -> None:
    line = [ticket(1, "a", beamtimes=((NOW - 60, NOW + 60), (NOW + 90, NOW + 95))), ticket(2, "b")]
    first = replace(POLICY, beamtime_lead_s=7200)
    assert [next_change(line, first, NOW + s) - NOW for s in (-90, 0, 60, 90, 95)] == [-60, 60, 90, 95, math.inf]
    assert next_change(line, POLICY, NOW) == math.inf


def test_a_large_launch_lets_others_pass_and_then_the_room_gathers() -> None:
    rules = Rules(facility=Limits(cpus=8))
    line = [ticket(1, "a", cpus=8.0), ticket(2, "b", after_s=1)]
    held = [running("c")]

    def fits(launch: Demand) -> None:
        require_room(rules, launch, held, NOW)

    chosen = next_to_start(in_order(line, held, POLICY, NOW), fits, NOW + 10, POLICY)
    assert chosen is not None
    assert chosen.demand.user == "b"
    assert next_to_start(in_order(line, held, POLICY, NOW), fits, NOW + POLICY.patience_s, POLICY) is None
    held.clear()
    chosen = next_to_start(in_order(line, held, POLICY, NOW), fits, NOW + POLICY.patience_s, POLICY)
    assert chosen is not None
    assert chosen.demand.user == "a"


def test_a_full_place_does_not_keep_those_of_another_one() -> None:
    rules = Rules(places={"small": Limits(sessions=1), "large": Limits(sessions=1)})
    line = [ticket(1, "a", place="small"), ticket(2, "b", after_s=1, place="small"), ticket(3, "c", place="large")]
    held = [running("x", place="small")]
    late = NOW + 2 * POLICY.patience_s
    chosen = next_to_start(
        in_order(line, held, POLICY, NOW), lambda one: require_room(rules, one, held, NOW), late, POLICY
    )
    assert chosen is not None
    assert chosen.demand.user == "c"


def of_school(sessions: int, place: str = "") -> Reservation:
    return Reservation(NOW - 60, NOW + 8 * 3600, sessions, place=place, groups=SCHOOL)


def next_user(rules: Rules, line: list[Waiting], held: list[Occupied], after_s: float) -> str:
    """Whose turn it is; "" if nobody's."""
    now = NOW + after_s
    ordered = in_order(line, held, POLICY, now)
    chosen = next_to_start(ordered, lambda one: require_room(rules, one, held, now), now, POLICY, kind_of=rules.kind_of)
    return chosen.demand.user if chosen else ""


@pytest.mark.parametrize("place", ["", "a"])
@pytest.mark.parametrize("reserved", [1, 20])
def test_reserved_sessions_are_kept_however_long_somebody_else_waits(reserved: int, place: str) -> None:
    """A course of 20, and of one; in the portal, and in one of its places."""
    limits = Limits(sessions=50)
    rules = Rules(
        facility=Limits() if place else limits,
        places={place: limits} if place else {},
        reservations=(of_school(reserved, place),),
    )
    held = [running(f"r{n}", place=place) for n in range(50 - reserved)]
    anna, late = ticket(1, "anna", place=place), 2 * POLICY.patience_s
    pupils = [ticket(2 + n, f"pupil{n}", after_s=late, place=place, groups=SCHOOL) for n in range(reserved + 1)]
    ben = ticket(99, "ben", after_s=5, place=place)
    assert next_user(rules, [anna, ben], held, late) == "", "nobody else passes her"
    for n in range(reserved):
        assert next_user(rules, [anna, ben, *pupils[n:]], held, late) == f"pupil{n}"
        held.append(Occupied(pupils[n].demand, NOW + late, NOW + late))
    assert next_user(rules, [anna, ben, pupils[-1]], held, late) == "", "it is full"
    ended = held[1:]
    assert next_user(rules, [anna, ben, pupils[-1]], ended, late) == "anna", (
        "beyond the reservation pupils wait in line"
    )
    assert next_user(rules, [anna, ben, pupils[-1]], held[:-1], late) == pupils[-1].demand.user


def test_a_reservation_passes_nobody_who_lacks_something_else() -> None:
    late = 2 * POLICY.patience_s
    anna, pupil = ticket(1, "anna", cpus=8.0, place="a"), ticket(2, "pupil", after_s=late, place="a", groups=SCHOOL)
    ten = Limits(sessions=10, cpus=10)

    def passes(**rules: Any) -> bool:
        return next_user(Rules(**rules), [anna, pupil], [running("r", cpus=4.0, place="a")], late) == "pupil"

    school = of_school(9)
    assert passes(facility=ten, reservations=(school,)), "she has no session"
    assert not passes(facility=ten, reservations=(replace(school, sessions=8),)), "she lacks only CPUs"
    assert not passes(facility=ten, reservations=(replace(school, place="b"),)), "it is in another place"
    assert not passes(facility=ten, reservations=(replace(school, groups=frozenset({"group:other"})),))
    assert not passes(places={"a": ten}, facility=ten, reservations=(school,)), "her place lacks CPUs"


def test_those_of_a_reservation_keep_their_own_order() -> None:
    rules = Rules(facility=Limits(sessions=10, cpus=10), reservations=(of_school(9),))
    late = 2 * POLICY.patience_s
    line = [ticket(1, "anna"), ticket(2, "large", after_s=1, cpus=8.0, groups=SCHOOL)]
    line.append(ticket(3, "small", after_s=late, groups=SCHOOL))
    assert next_user(rules, line, [running("r", cpus=4.0)], late) == ""


def test_a_session_that_ends_before_a_course_does_not_pass_one_that_would_not() -> None:
    late, hour = 2 * POLICY.patience_s, 3600
    course = Reservation(NOW + 3 * hour, NOW + 9 * hour, 9, groups=SCHOOL)
    rules = Rules(facility=Limits(sessions=10), reservations=(course,))
    anna, held = ticket(1, "anna"), [running("r")]
    short = ticket(2, "short", after_s=late, hours=1.0)
    assert next_user(rules, [short], held, late) == "short"
    assert next_user(rules, [anna, short], held, late) == ""
    assert next_user(rules, [anna, short, ticket(3, "pupil", after_s=late, groups=SCHOOL)], held, late) == "pupil"
    # a school whose own reservation is used up
    rules = replace(rules, reservations=(course, replace(of_school(1), groups=frozenset({"group:small"}))))
    held = [running("r", groups=frozenset({"group:small"}))]
    short = ticket(2, "short", after_s=late, hours=1.0, groups=frozenset({"group:small"}))
    assert next_user(rules, [short], held, late) == "short"
    assert next_user(rules, [anna, short], held, late) == ""


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ab"), st.integers(0, 9000)), max_size=25), st.integers(0, 6))
def test_a_session_that_is_reserved_is_never_left_free_while_somebody_of_the_group_waits(
    arrivals: list[tuple[bool, str, int]], reserved: int
) -> None:
    rules = Rules(facility=Limits(sessions=6), reservations=(of_school(reserved),))
    run, lasts = Run(rules, POLICY), dict.fromkeys(range(len(arrivals)), 2000.0)
    for number, (is_pupil, place, after) in enumerate(sorted(arrivals, key=lambda one: one[2])):
        run.end_sessions(lasts, NOW + after)
        run.now = NOW + after
        run.line[number] = ticket(
            number, f"u{number}", after_s=after, place=place, groups=SCHOOL if is_pupil else frozenset()
        )
        run.serve(lasts)
        sessions = [one.demand for one in run.held.values()]
        pupils = [one for one in run.line.values() if one.demand.groups]
        assert not pupils or len(sessions) == 6 or sum(bool(one.groups) for one in sessions) >= reserved


def test_room_is_looked_for_once_for_each_kind_of_launch() -> None:
    """With 1,000 sessions and 1,000 tickets it took the hub 1.6 seconds, of each second."""
    rules = Rules(
        facility=Limits(sessions=3, cpus=8),
        reservations=(Reservation(NOW - 60, NOW + 3600, sessions=1, groups=frozenset({"group:school"})),),
    )
    sessions = [running("x", "r1"), running("y", "r2")]
    asked: list[str] = []

    def require(launch: Demand) -> None:
        asked.append(launch.session)
        require_room(rules, launch, sessions, NOW)

    line = [ticket(n, f"u{n}", after_s=-n / 10, cpus=2 + 4 * (n % 2)) for n in range(1000)]
    assert next_to_start(line, require, NOW, POLICY, kind_of=rules.kind_of) is None
    assert asked == ["s0", "s1"], "neither two processors nor six"
    theirs = ticket(1000, "z", after_s=-100, groups=frozenset({"group:school"}))
    assert next_to_start([*line, theirs], require, NOW, POLICY, kind_of=rules.kind_of) == theirs
    assert [one.demand.user for one in line if rules.kind_of(one.demand) == rules.kind_of(theirs.demand)] == []


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([1.0, 2.0, 4.0]), st.floats(-2000, 0)), max_size=30),
    st.integers(0, 6),
)
def test_whose_turn_it_is_does_not_depend_on_that(arrivals: list[tuple[str, float, float]], free: int) -> None:
    rules = Rules(facility=Limits(cpus=10), places={"a": Limits(cpus=float(free))})
    line = [ticket(n, f"u{n}", after_s=at, place=place, cpus=cpus) for n, (place, cpus, at) in enumerate(arrivals)]
    sessions = [running("x", cpus=6.0, place="b")]

    def require(launch: Demand) -> None:
        require_room(rules, launch, sessions, NOW)

    by_each = next_to_start(line, require, NOW, POLICY)
    assert next_to_start(line, require, NOW, POLICY, kind_of=rules.kind_of) == by_each


def test_a_ticket_that_the_backend_refused_waits_and_keeps_its_place() -> None:
    refused = replace(ticket(1, "a"), not_before=NOW + 30, attempts=1)
    line = in_order([refused, ticket(2, "b", after_s=1)], [], POLICY, NOW)
    chosen = next_to_start(line, lambda _: None, NOW + 10, POLICY)
    assert users(line) == "ab"
    assert chosen is not None
    assert chosen.demand.user == "b"
    chosen = next_to_start(line, lambda _: None, NOW + 30, POLICY)
    assert chosen is not None
    assert chosen.demand.user == "a"


def test_nobody_who_needs_as_much_passes_a_ticket_that_the_backend_had_no_room_for() -> None:
    refused = replace(ticket(1, "a", cpus=2), attempts=1, lacks_room=True, not_before=NOW + 30)

    def passes(**needs: object) -> tuple[bool, bool]:
        """Whether somebody passes while it waits for its next attempt, and while it is being started again."""
        after = ticket(2, "b", after_s=1, **needs)
        line = in_order([refused, after], [], POLICY, NOW)
        while_it_waits = next_to_start(line, lambda _: None, NOW + 10, POLICY)
        while_it_tries = next_to_start([after], lambda _: None, NOW + 10, POLICY, [refused.demand])
        return while_it_waits is not None, while_it_tries is not None

    assert passes(cpus=2) == passes(cpus=4, gpus=1) == (False, False)
    assert passes(cpus=1) == passes(cpus=2, memory_bytes=1.0) == passes(cpus=2, place="elsewhere") == (True, True)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5000)), max_size=20), st.randoms())
def test_the_order_depends_on_nothing_but_what_is_stored(arrivals: list[tuple[str, int]], dice: random.Random) -> None:
    line = [ticket(n, user, after_s=after) for n, (user, after) in enumerate(arrivals)]
    ordered = in_order(line, [], POLICY, NOW)
    dice.shuffle(line)
    assert in_order(line, [], POLICY, NOW) == ordered
    assert sorted(one.id for one in ordered) == sorted(one.id for one in line)


@dataclass
class Run:
    """A facility of fifty sessions, and what happened there."""

    rules: Rules
    policy: QueuePolicy
    now: float = NOW
    line: dict[int, Waiting] = field(default_factory=dict)
    held: dict[int, Occupied] = field(default_factory=dict)
    ends: list[tuple[float, int]] = field(default_factory=list)
    started: dict[int, float] = field(default_factory=dict)
    #: how much later the latest arrived of those that started in its place while it waited
    overtaken_by_s: dict[int, float] = field(default_factory=dict)
    #: the same of those that started in a session which was reserved for them, and not for it
    passed_by_s: dict[int, float] = field(default_factory=dict)

    def end_sessions(self, lasts: dict[int, float], until: float) -> None:
        """End the sessions whose time has come, and serve the queue at each."""
        while self.ends and self.ends[0][0] <= until:
            self.now, gone = heapq.heappop(self.ends)
            del self.held[gone]
            self.serve(lasts)

    def is_reserved(self, launch: Demand, other: Demand) -> bool:
        """Return whether a session is free for a launch that is kept from another one of its place."""
        return any(
            one.is_for(launch) and one.held_against(other, self.held.values(), self.now)
            for one in self.rules.reservations
            if one.place in ("", launch.place)
        )

    def serve(self, lasts: dict[int, float]) -> None:
        while True:
            sessions = list(self.held.values())
            ordered = in_order(self.line.values(), sessions, self.policy, self.now)
            fits = functools.partial(require_room, self.rules, sessions=sessions, now=self.now)
            chosen = next_to_start(ordered, fits, self.now, self.policy, kind_of=self.rules.kind_of)
            if chosen is None:
                return
            del self.line[chosen.id]
            assert chosen.id not in self.started, "admitted exactly once"
            self.started[chosen.id] = self.now
            for other in self.line.values():
                if other.demand.place == chosen.demand.place:
                    later = chosen.arrived - other.arrived
                    of = self.passed_by_s if self.is_reserved(chosen.demand, other.demand) else self.overtaken_by_s
                    of[other.id] = max(of.get(other.id, 0.0), later)
            self.held[chosen.id] = Occupied(chosen.demand, self.now, self.now)
            heapq.heappush(self.ends, (self.now + lasts[chosen.id], chosen.id))


def test_ten_thousand_arrivals_and_nobody_starves() -> None:
    """A quarter more arrives than fits, for hours; one launch in twenty is one person's, and one in twenty is large.

    A school has courses, in the portal and in a place of it: for eight hours of each 24, and of each 32.
    """
    count, dice = 10_000, random.Random(1)
    courses = [Reservation(NOW + h * 3600, NOW + (h + 8) * 3600, 15, groups=SCHOOL) for h in range(8, 500, 24)]
    courses += [
        Reservation(NOW + h * 3600, NOW + (h + 8) * 3600, 8, place="a", groups=SCHOOL) for h in range(4, 500, 32)
    ]
    rules = Rules(
        facility=Limits(sessions=50, cpus=200),
        places={"a": Limits(sessions=30), "b": Limits(cpus=120)},
        reservations=tuple(courses),
    )
    run = Run(rules, replace(POLICY, beamtime_lead_s=1800.0))
    mean_s = 3600.0
    every_s = mean_s / 50
    when, arrivals, lasts = NOW, [], {}
    for number in range(count):
        load = 1.25 if number % 1000 < 500 else 0.5
        when += dice.expovariate(load / every_s)
        # it began an hour ago at most, or begins within an hour
        begin = when + dice.uniform(-3600, 3600)
        beamtimes = ((begin, begin + 7200),)
        user = "greedy" if dice.random() < 0.05 else f"p{dice.randrange(300)}"
        launch = demand(
            user, f"s{number}", cpus=20.0 if dice.random() < 0.05 else 2.0, place=dice.choice("ab"),
            proposals=(f"MA-{dice.randrange(40)}",), beamtimes=beamtimes if dice.random() < 0.02 else (),
            groups=SCHOOL if dice.random() < 0.2 else frozenset(),
        )  # fmt: skip
        arrivals.append(Waiting(number, launch, when))
        lasts[number] = dice.expovariate(1 / mean_s)
    for one in arrivals:
        run.end_sessions(lasts, one.arrived)
        run.now = one.arrived
        run.line[one.id] = one
        run.serve(lasts)
    run.end_sessions(lasts, math.inf)
    assert len(run.started) == count, "every ticket starts"
    assert sum(run.started[one.id] > one.arrived for one in arrivals) > count / 4, "many have waited"
    assert max(run.overtaken_by_s.values()) <= run.policy.overtaking_s, "the guarantee"
    assert max(run.passed_by_s.values()) > run.policy.overtaking_s, "a reservation is kept for longer than that"
    waits = {one.id: run.started[one.id] - one.arrived for one in arrivals}
    of = Counter(one.demand.user for one in arrivals)
    greedy = sum(waits[one.id] for one in arrivals if one.demand.user == "greedy") / of["greedy"]
    others = [waits[one.id] for one in arrivals if one.demand.user != "greedy"]
    assert greedy > sum(others) / len(others), "who launches all the time waits longer than the others"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20_000)), min_size=1, max_size=25))
def test_one_session_at_a_time_serves_everybody_within_the_guarantee(arrivals: list[tuple[str, int]]) -> None:
    run = Run(Rules(facility=Limits(sessions=1)), POLICY)
    for number, (user, after) in enumerate(sorted(arrivals, key=lambda one: one[1])):
        run.line[number] = ticket(number, user, after_s=after)
    lasts = dict.fromkeys(range(len(arrivals)), 900.0)
    run.now = NOW + 20_000
    run.serve(lasts)
    run.end_sessions(lasts, math.inf)
    assert len(run.started) == len(arrivals)
    assert max(run.overtaken_by_s.values(), default=0.0) <= POLICY.overtaking_s
