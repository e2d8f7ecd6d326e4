"""Extensions: their hours count as those of a launch do, and they keep no reserved session from its group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daas_hub.admission.limits import Limits
from daas_hub.admission.quota import ClassRule, NoRoom, OverQuota, Reservation, Rules

from .plain_hub import Hub
from .scenes import NOW, demand

HOUR = 3600
SCHOOL, GUEST = frozenset({"group:school"}), frozenset({"role:guest"})
KEY = ("anna", "one")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(f"sqlite:///{tmp_path / 'hub.sqlite'}", Rules())
    yield made
    made.db.close()


def admitted(hub: Hub, rules: Rules, **changes: Any) -> None:
    """Let anna's session of eight hours run for an hour, with ben's beside it, and set these limits."""
    hub.gate.rules = rules
    for name in ("anna", "ben"):
        hub.gate.admit(demand(name, **changes))
        hub.ready.add((name, "one"))
    hub.dispatcher.settle()
    hub.clock.now += HOUR


def extend(hub: Hub, hours: float) -> None:
    """Check an extension by this many hours."""
    hub.gate.require_extension(KEY, NOW + (8 + hours) * HOUR, hours * HOUR)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Rules(person=Limits(hours=11)), "You are using 0 of 11 hours in 30 days, and this session may last 12."),
        (Rules(proposal=Limits(hours=19)), "Sessions of proposal MA-1 are using 8 of 19 hours in 30 days"),
        (Rules(classes={"role:guest": ClassRule(together=Limits(hours=19))}), "All people with the role guest are"),
        (Rules(places={"large": Limits(hours=19, days=7)}), "Sessions in large are using 8 of 19 hours in 7 days"),
        (Rules(facility=Limits(hours=19)), "All sessions of this portal are using 8 of 19 hours in 30 days"),
    ],
    ids=["person", "proposal", "class", "place", "portal"],
)
def test_hours_of_an_extension_are_compared_with_each_limit(hub: Hub, rules: Rules, words: str) -> None:
    admitted(hub, rules, proposals=("MA-1",), groups=GUEST, place="large")
    extend(hub, 3)
    with pytest.raises(OverQuota, match=words):
        extend(hub, 4)
    hub.gate.require_extension(("nobody", "one"), NOW, 100.0 * HOUR)


def test_an_extension_counts_from_then_on_also_in_a_new_hub(hub: Hub) -> None:
    rules = Rules(person=Limits(hours=20))
    admitted(hub, rules)
    hub.gate.extend(KEY, 4.0 * HOUR)
    for one in (hub, hub.killed(ready=hub.ready)):
        one.gate.rules = rules
        with pytest.raises(OverQuota, match="You are using 12 of 20 hours in 30 days, and this session may last 9"):
            one.gate.require_quota(demand(session="two", hours=9.0))
        one.gate.require_quota(demand(session="two"))


def test_only_hours_are_compared(hub: Hub) -> None:
    """What has become smaller since its start ends no session earlier."""
    admitted(hub, Rules())
    hub.gate.rules = Rules(
        person=Limits(sessions=0, cpus=1, hours=100),
        classes={"role:guest": ClassRule(applications=frozenset({"pymca"}))},
        facility=Limits(sessions=1),
    )
    extend(hub, 4)


def test_no_extension_into_a_session_that_is_reserved_for_others(hub: Hub) -> None:
    course = Reservation(NOW + 9 * HOUR, NOW + 20 * HOUR, 2, groups=SCHOOL)
    rules = Rules(facility=Limits(sessions=3), reservations=(course,))
    admitted(hub, rules)
    extend(hub, 1)
    with pytest.raises(NoRoom, match="The portal is full: 1 of 3 sessions are in use, 2 reserved"):
        extend(hub, 1 + 1 / HOUR)
    hub.gate.rules = replace(rules, facility=Limits(sessions=4))
    extend(hub, 4)
    hub.gate.rules = replace(rules, facility=Limits(sessions=1), reservations=())
    extend(hub, 4)
