"""What limits one person, before a launch is refused: the same numbers as in the refusal, and nobody else's names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.admission.limits import Limits
from daas_hub.admission.model import Occupied
from daas_hub.admission.own_use import Limited, Scope, Who, limits_on, unused_proposal
from daas_hub.admission.quota import ClassRule, NoRoom, OverQuota, Reservation, Rules, require_quota, require_room

from .scenes import GIB, NOW, demand, running

GUEST = frozenset({"role:guest"})
ANNA = Who("anna", GUEST, frozenset({"MA-1", "MA-3"}), ("large",), 10)


def found(
    rules: Rules, sessions: Any, who: Who = ANNA, waiting: Any = ()
) -> dict[tuple[Scope, str], dict[str, tuple[float, float]]]:
    """What is in use and left, by scope and resource."""
    return {
        (one.scope, one.title): {use.resource: (use.used, use.left) for use in one.uses}
        for one in limits_on(rules, who, [*sessions, *waiting], NOW, [one for one in sessions if one.ended is None])
    }


def test_each_scope_has_its_own_sum() -> None:
    rules = Rules(
        person=Limits(cpus=6, memory_bytes=8 * GIB),
        proposal=Limits(cpus=4, hours=20, days=7),
        classes={"role:guest": ClassRule(together=Limits(sessions=5)), "role:staff": ClassRule(Limits(sessions=9))},
        places={"large": Limits(cpus=64, hours=100), "secret": Limits(cpus=64)},
        titles={"large": "Large nodes"},
        facility=Limits(sessions=50),
    )
    sessions = [
        running(session="a", proposals=("MA-1",), place="large", groups=GUEST),
        running("ben", proposals=("MA-1", "MA-2"), groups=GUEST),
        replace(running("carla", proposals=("MA-1",), place="large"), ended=NOW),
    ]
    assert found(rules, sessions) == {
        (Scope.PERSON, ""): {"sessions": (1, 9), "cpus": (2, 4), "memory_bytes": (4 * GIB, 4 * GIB)},
        (Scope.PROPOSAL, "MA-1"): {"cpus": (4, 0), "hours": (17, 3)},
        (Scope.CLASS, "All people with the role guest"): {"sessions": (2, 3)},
        (Scope.PLACE, "Large nodes"): {"cpus": (2, 62), "hours": (9, 91)},
        (Scope.FACILITY, ""): {"sessions": (2, 48)},
    }
    assert [(use.resource, use.used, use.left) for use in unused_proposal(rules)] == [("cpus", 0, 4), ("hours", 0, 20)]


def test_the_limits_of_a_class_are_those_of_its_people() -> None:
    rules = Rules(person=Limits(sessions=2), classes={"role:guest": ClassRule(each=Limits(sessions=1, gpus=0))})
    assert found(rules, [running()]) == {(Scope.PERSON, ""): {"sessions": (1, 0), "gpus": (0, 0)}}
    nobody = replace(ANNA, groups=frozenset())
    assert found(rules, [running()], nobody) == {(Scope.PERSON, ""): {"sessions": (1, 1)}}
    few = replace(nobody, sessions=1)
    assert found(rules, [], few) == {(Scope.PERSON, ""): {"sessions": (0, 1)}}, "Facility.sessions_per_person"


def test_a_launch_that_waits_counts_in_what_it_will_use_and_takes_no_room() -> None:
    rules = Rules(person=Limits(cpus=6), places={"large": Limits(sessions=1, hours=30)}, facility=Limits(cpus=2))
    waiting = [Occupied(demand("anna", f"w{n}", place="large"), NOW) for n in range(2)]
    assert found(rules, [running("ben", place="large")], waiting=waiting) == {
        (Scope.PERSON, ""): {"sessions": (2, 8), "cpus": (4, 2)},
        (Scope.PLACE, "large"): {"sessions": (1, 0), "hours": (24, 6)},
        (Scope.FACILITY, ""): {"cpus": (2, 0)},
    }


def test_proposals_with_least_left_come_first() -> None:
    rules = Rules(proposal=Limits(cpus=8))
    sessions = [running("ben", proposals=("MA-1",)), *(running(f"p{n}", proposals=("MA-3",)) for n in range(3))]
    proposals = [one for one in limits_on(rules, ANNA, sessions, NOW, sessions) if one.scope is Scope.PROPOSAL]
    assert [one.title for one in proposals] == ["MA-3", "MA-1"]
    assert Limited(Scope.PERSON, "", ()).fullness == 0


@pytest.mark.parametrize(
    ("change", "groups", "left"),
    [
        ({}, GUEST, 2),
        ({}, frozenset({"group:school"}), 4),
        ({"proposals": frozenset({"MA-3"})}, GUEST, 4),
        ({"start": NOW + 1}, GUEST, 4),
        ({"end": NOW}, GUEST, 4),
        ({"place": "large"}, GUEST, 4),
    ],
)
def test_sessions_reserved_for_others_are_not_left(change: dict[str, Any], groups: frozenset[str], left: int) -> None:
    course = Reservation(NOW - 60, NOW + 60, 3, groups=frozenset({"group:school"}))
    rules = Rules(facility=Limits(sessions=6), reservations=(replace(course, **change),))
    sessions = [running("ben"), running("dora", groups=frozenset({"group:school"}))]
    assert found(rules, sessions, replace(ANNA, groups=groups))[Scope.FACILITY, ""]["sessions"] == (2, left)


LAUNCHES = st.lists(
    st.tuples(st.sampled_from(["anna", "ben"]), st.sampled_from(["MA-1", "MA-3"]), st.sampled_from(["large", "small"])),
    max_size=8,
)


@given(LAUNCHES, st.sampled_from(["MA-1", "MA-3"]), st.sampled_from([1.0, 2.0, 5.0]), st.sampled_from([1.0, 8.0]))
def test_what_is_left_is_what_a_launch_may_need(
    launches: list[tuple[str, str, str]], proposal: str, cpus: float, hours: float
) -> None:
    """A launch is refused exactly if it needs more than the page says is left of something."""
    rules = Rules(
        person=Limits(cpus=6),
        proposal=Limits(cpus=9, hours=40),
        classes={"role:guest": ClassRule(together=Limits(hours=36))},
        places={"large": Limits(cpus=10, hours=30)},
        facility=Limits(sessions=6, hours=50),
    )
    sessions = [
        running(user, f"s{number}", proposals=(on,), place=place, groups=GUEST)
        for number, (user, on, place) in enumerate(launches)
    ]
    launch = demand(cpus=cpus, hours=hours, proposals=(proposal,), place="large", groups=GUEST)
    shown = limits_on(rules, ANNA, sessions, NOW, sessions)
    fits = all(
        {"sessions": 1, "cpus": cpus, "hours": hours}[use.resource] <= use.left
        for one in shown
        for use in one.uses
        if one.scope is not Scope.PROPOSAL or one.title == proposal
    )
    try:
        require_quota(rules, launch, sessions, NOW)
        require_room(rules, launch, sessions, NOW)
    except (OverQuota, NoRoom):
        assert not fits
    else:
        assert fits
