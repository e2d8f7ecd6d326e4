"""Quotas and capacity: used and requested against the limit, and the numbers in the refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.admission.limits import Limits
from daas_hub.admission.offer import Offer
from daas_hub.admission.quota import ClassRule, NoRoom, OverQuota, Reservation, Rules, require_quota, require_room

from .scenes import GIB, NOW, demand, running

GUEST = frozenset({"role:guest"})
STAFF = frozenset({"role:staff"})


def refusal(rules: Rules, launch: Any, sessions: Any = ()) -> str:
    """The words of a refusal by quota; "" if the launch is allowed."""
    try:
        require_quota(rules, launch, list(sessions), NOW)
    except OverQuota as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(sessions=2), "You are using 2 of 2 sessions, and this session needs 1."),
        (Limits(cpus=5), "You are using 4 of 5 CPUs, and this session needs 2."),
        (Limits(memory_bytes=10 * GIB), "You are using 8 GiB of 10 GiB of memory, and this session needs 4 GiB."),
        (Limits(gpus=0), "You are using 0 of 0 GPUs, and this session needs 1."),
        (Limits(hours=20, days=7), "You are using 16 of 20 hours in 7 days, and this session may last 8."),
    ],
)
def test_each_resource_of_a_person(limits: Limits, words: str) -> None:
    launch = demand(gpus=1 if limits.gpus == 0 else 0)
    own = [running(session="a"), running(session="b")]
    assert refusal(Rules(person=limits), launch, own).startswith(words)
    others = [running("ben", "a"), running("ben", "b")]
    assert refusal(Rules(person=replace(limits, gpus=None)), launch, others) == ""


def test_used_and_requested_may_reach_the_limit_exactly() -> None:
    own = [running(session="a")]
    assert refusal(Rules(person=Limits(sessions=2, cpus=4, memory_bytes=8 * GIB, hours=16)), demand(), own) == ""


def test_own_resources_count_in_the_quota_of_a_person() -> None:
    on_proposal = running(proposals=("MA-1",))
    assert "1 of 1 sessions" in refusal(Rules(person=Limits(sessions=1)), demand(), [on_proposal])
    assert "1 of 1 sessions" in refusal(Rules(person=Limits(sessions=1)), demand(proposals=("MA-1",)), [running()])


def test_a_proposal_is_shared_by_its_people() -> None:
    rules = Rules(proposal=Limits(cpus=4))
    sessions = [running("ben", "a", proposals=("MA-1", "MA-2")), running("carla", "b", proposals=("MA-2",))]
    words = refusal(rules, demand(proposals=("MA-1", "MA-2")), sessions)
    assert words.startswith("Sessions of proposal MA-2 are using 4 of 4 CPUs, and this session needs 2.")
    assert refusal(rules, demand(proposals=("MA-1",)), sessions) == ""
    assert refusal(rules, demand(), sessions) == ""


def test_a_class_replaces_the_limits_of_a_person_and_the_better_one_counts() -> None:
    guest = ClassRule(each=Limits(sessions=1), together=Limits(sessions=3))
    staff = ClassRule(each=Limits(sessions=5))
    rules = Rules(person=Limits(sessions=2), classes={"role:guest": guest, "role:staff": staff})
    own = [running(session=name) for name in ("a", "b")]
    assert "2 of 1 sessions" in refusal(rules, demand(groups=GUEST), own)
    assert "2 of 2 sessions" in refusal(rules, demand(), own)
    assert refusal(rules, demand(groups=GUEST | STAFF), own) == ""
    guests = [running(name, groups=GUEST) for name in ("ben", "carla", "dora")]
    words = "All people with the role guest are using 3 of 3 sessions, and this session needs 1."
    assert refusal(rules, demand(groups=GUEST), guests).startswith(words)


def test_sizes_and_applications_of_a_class() -> None:
    rules = Rules(classes={"role:guest": ClassRule(sizes=frozenset({"small"}), applications=frozenset({"pymca"}))})
    assert "The application terminal is not available to you. Available: pymca." in refusal(rules, demand(groups=GUEST))
    pymca = demand(groups=GUEST, application="pymca")
    assert refusal(rules, pymca) == ""
    words = "The size large is not available to you. Available: small."
    assert refusal(rules, replace(pymca, size="large")) == words
    assert refusal(rules, demand(size="large")) == ""
    rules = Rules(classes=dict(rules.classes) | {"role:staff": ClassRule()})
    assert refusal(rules, demand(size="large", groups=GUEST | STAFF)) == "", "one class that allows it is enough"


def test_sizes_and_applications_of_everybody_else() -> None:
    """A class that names none has those of everybody; one that does has its own instead."""
    everybody = Offer(sizes=frozenset({"small"}), applications=frozenset({"terminal"}))
    staff = ClassRule(sizes=frozenset({"small", "large"}))
    rules = Rules(offer=everybody, classes={"role:staff": staff, "role:guest": ClassRule(each=Limits(sessions=1))})
    assert Rules(offer=everybody).has_quotas, "or the gate does not ask"
    words = "The size large is not available to you. Available: small."
    assert refusal(rules, demand(size="large")) == words
    assert refusal(rules, demand(size="large", groups=GUEST)) == words
    assert refusal(rules, demand(size="large", groups=STAFF)) == ""
    assert refusal(rules, demand(size="large", groups=STAFF | GUEST)) == ""
    assert "The application pymca is not" in refusal(rules, demand(application="pymca", groups=STAFF))


def test_hours_are_those_of_the_last_days() -> None:
    day = 86_400
    ended = [
        replace(running(session="old", since=NOW - 9 * day), ended=NOW - 8 * day),  # before the period
        replace(running(session="across", since=NOW - 7.5 * day), ended=NOW - 6.5 * day),  # twelve hours of it count
        replace(running(session="failed", since=NOW - day), started=None, ended=NOW),  # it never ran
    ]
    rules = Rules(person=Limits(hours=20, days=7))
    assert refusal(rules, demand(hours=8), ended) == ""
    assert refusal(rules, demand(hours=8.5), ended).startswith(
        "You are using 12 of 20 hours in 7 days, and this session may last 8.5."
    )


def test_hours_of_a_place_and_of_the_portal_are_those_of_everybody() -> None:
    """They are refused with the numbers, and are no capacity: nobody waits in line for them."""
    there = [running("ben", place="large"), running("carla", place="large")]
    ended = replace(running("dora", since=NOW - 7200, place="large"), ended=NOW)
    rules = Rules(places={"large": Limits(hours=25, days=7)}, titles={"large": "Large nodes"})
    assert rules.longest_days == 7
    words = "Sessions in Large nodes are using 18 of 25 hours in 7 days, and this session may last 8."
    assert refusal(rules, demand(place="large"), [*there, ended]) == (
        f"{words} Choose another place. Sessions that are stopped early use fewer hours."
    )
    assert refusal(rules, demand(place="large"), there) == ""
    assert refusal(rules, demand(place="small"), [*there, ended]) == ""
    assert full(rules, demand(place="large"), [*there, ended]) == ""
    rules = Rules(facility=Limits(hours=24))
    words = "All sessions of this portal are using 18 of 24 hours in 30 days, and this session may last 8."
    assert refusal(rules, demand(), [*there, ended]).startswith(words)
    assert full(rules, demand(), [*there, ended]) == ""


def full(rules: Rules, launch: Any, sessions: Any) -> str:
    """The words of a launch without room; "" if there is some."""
    try:
        require_room(rules, launch, sessions, NOW)
    except NoRoom as problem:
        return f"{problem}{' never' if problem.is_never else ''}"
    return ""


def test_capacity_of_the_portal_and_of_a_place() -> None:
    rules = Rules(facility=Limits(sessions=2), places={"large": Limits(cpus=6)}, titles={"large": "Large nodes"})
    both = [running("ben", place="large"), running("carla", place="large")]
    assert full(rules, demand(), both) == "The portal is full: 2 of 2 sessions are in use. Try again later."
    assert full(rules, demand(place="large"), both[:1]) == ""
    wide = demand(place="large", cpus=5)
    words = "Large nodes is full: 2 of 6 CPUs are in use, and this session needs 5."
    assert full(rules, wide, both[:1]).startswith(words)
    assert full(rules, replace(wide, cpus=7), []) == (
        "Large nodes has 6 CPUs, and this session needs 7. Choose a smaller size. never"
    )
    ended = [replace(one, ended=NOW) for one in both]
    assert full(rules, demand(), ended) == ""


def test_a_reservation_is_kept_from_others_and_from_those_who_would_reach_into_it() -> None:
    course = Reservation(NOW + 3600, NOW + 7200, 2, groups=frozenset({"group:school"}))
    rules = Rules(facility=Limits(sessions=3), reservations=(course,))
    pupil = demand("ben", groups=frozenset({"group:school"}))
    one = [running("carla")]
    assert full(rules, demand(), one) == (
        "The portal is full: 1 of 3 sessions are in use, 2 reserved. Try again later."
    )
    assert full(rules, demand(hours=0.9), one) == "", "it ends before the course begins"
    assert full(rules, pupil, one) == ""
    used = [*one, running("dora", groups=frozenset({"group:school"}))]
    assert "2 of 3 sessions are in use, 1 reserved" in full(rules, demand(), used)
    over = Rules(facility=Limits(sessions=3), reservations=(replace(course, start=NOW - 20, end=NOW - 10),))
    assert full(over, demand(), one) == ""


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["MA-1", "MA-2"])), max_size=30))
def test_admitted_one_after_another_no_limit_is_exceeded(launches: list[tuple[str, str]]) -> None:
    rules = Rules(person=Limits(sessions=2), proposal=Limits(cpus=6), facility=Limits(sessions=4))
    sessions = []
    for number, (user, proposal) in enumerate(launches):
        launch = demand(user, f"s{number}", proposals=(proposal,))
        try:
            require_quota(rules, launch, sessions, NOW)
            require_room(rules, launch, sessions, NOW)
        except (OverQuota, NoRoom):
            continue
        sessions.append(running(user, f"s{number}", proposals=(proposal,)))
    of = [(one.demand.user, one.demand.proposals[0]) for one in sessions]
    assert len(sessions) <= 4
    assert all(sum(user == who for who, _ in of) <= 2 for user in "abc")
    assert all(sum(on == proposal for _, on in of) <= 3 for proposal in ("MA-1", "MA-2"))
