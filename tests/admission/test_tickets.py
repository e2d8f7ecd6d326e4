"""Gate, tickets and dispatcher on a real database: admitted once, given back on every path, kept over a killed hub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from daas_hub.admission.dispatcher import Dispatcher, NotStarted
from daas_hub.admission.gate import Gate, Key
from daas_hub.admission.limits import Limits
from daas_hub.admission.line import Line, LineRules
from daas_hub.admission.model import Demand
from daas_hub.admission.queue import QueuePolicy
from daas_hub.admission.quota import NoRoom, OverQuota, Reservation, Rules
from daas_hub.launch_reference import current_reference, fill_slot, open_slot
from daas_hub.tables import Ticket, Usage

from .plain_hub import TWO, Hub
from .scenes import demand


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with room for two sessions."""
    made = Hub(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    yield made
    made.db.close()


def full(hub: Hub) -> None:
    """Let two sessions run."""
    for name in ("x", "y"):
        hub.gate.admit(demand(name))
        hub.ready.add((name, "one"))


def test_of_fifty_starts_at_once_two_are_admitted(hub: Hub) -> None:
    for number in range(2):
        hub.gate.admit(demand(f"p{number}"))
    for number in range(2, 50):
        with pytest.raises(NoRoom, match="2 of 2 sessions are in use"):
            hub.gate.admit(demand(f"p{number}"))
    assert [row.user for row in hub.db.query(Usage)] == ["p0", "p1"]


async def test_a_start_that_is_admitted_again_is_one(hub: Hub) -> None:
    hub.gate.admit(demand(size="small"))
    hub.gate.admit(demand(size="large"))
    assert [(row.user, row.size) for row in hub.db.query(Usage)] == [("anna", "large")]


async def test_a_place_is_free_only_when_the_backend_says_so(hub: Hub) -> None:
    full(hub)
    hub.join(demand("anna"))
    # stopped, and its backend does not answer: the record stays
    hub.ready.discard(("x", "one"))
    hub.recorded.add(("x", "one"))
    await hub.rounds()
    assert hub.starts == []
    hub.recorded.clear()
    await hub.rounds()
    assert hub.starts == [("anna", "one")]
    assert hub.db.query(Ticket).count() == 0
    x = hub.db.query(Usage).filter_by(user="x").one()
    assert x.ended is not None


async def test_a_start_that_fails_gives_its_place_to_the_next(hub: Hub) -> None:
    full(hub)
    for name in ("anna", "ben"):
        hub.join(demand(name))
    hub.outcome["anna", "one"] = NotStarted("Your proposal was withdrawn.", "refused")
    hub.ready.discard(("x", "one"))
    await hub.rounds(4)
    assert hub.starts == [("anna", "one"), ("ben", "one")]
    assert hub.db.query(Ticket).count() == 0


async def test_an_error_in_a_start_gives_the_place_back_too(hub: Hub) -> None:
    full(hub)
    for name in ("anna", "ben"):
        hub.join(demand(name))
    hub.outcome["anna", "one"] = RuntimeError("a bug")
    hub.ready.discard(("x", "one"))
    await hub.rounds(4)
    assert hub.starts == [("anna", "one"), ("ben", "one")]


async def test_the_backend_has_no_room_and_the_ticket_keeps_its_place(hub: Hub) -> None:
    hub.rules = TWO
    hub.join(demand("anna"))
    hub.outcome["anna", "one"] = NotStarted("No computer has enough free memory yet.", "capacity")
    await hub.rounds()
    assert hub.starts == [("anna", "one")]
    assert hub.line.words(("anna", "one")).endswith("No computer has enough free memory yet.")
    assert hub.gate.occupied == []
    arrived = hub.db.query(Ticket).one().arrived
    for pause, tries in ((29, 1), (2, 2), (58, 2), (3, 3)):
        hub.clock.now += pause
        await hub.rounds(2)
        assert len(hub.starts) == tries, f"doubled every time: after {pause} more"
    hub.join(demand("ben"))
    assert "first" in hub.line.words(("anna", "one"))
    assert "second" in hub.line.words(("ben", "one"))
    assert hub.db.query(Ticket).filter_by(user="anna").one().arrived == arrived
    hub.outcome.clear()
    hub.clock.now += 600
    await hub.rounds()
    assert sorted(hub.ready) == [("anna", "one"), ("ben", "one")]


async def test_order_and_age_are_kept_over_a_killed_hub(hub: Hub) -> None:
    full(hub)
    for name in ("anna", "ben", "carla"):
        hub.clock.now += 10
        hub.join(demand(name))
    words = [hub.line.words((name, "one")) for name in ("anna", "ben", "carla")]
    again = hub.killed(ready={("x", "one"), ("y", "one")})
    assert [again.line.words((name, "one")) for name in ("anna", "ben", "carla")] == words
    await again.rounds()
    assert again.starts == []
    again.ready.clear()
    await again.rounds()
    assert again.starts == [("anna", "one"), ("ben", "one")]
    again.db.close()


async def test_a_hub_that_is_killed_while_it_starts_a_session_starts_it_again(hub: Hub) -> None:
    hub.join(demand("anna"))
    hub.join(demand("ben"))
    ticket = hub.line.call_next()
    assert ticket is not None
    assert ticket.demand.user == "anna"
    # what the start left is ended by the reconciler first
    again = hub.killed(recorded={("anna", "one")})
    await again.rounds()
    assert again.starts == [("ben", "one")]
    again.recorded.clear()
    await again.rounds()
    assert again.starts == [("ben", "one"), ("anna", "one")]
    again.db.close()


async def test_a_hub_that_is_killed_after_the_start_does_not_start_it_twice(hub: Hub) -> None:
    hub.join(demand("anna"))
    assert hub.line.call_next() is not None
    again = hub.killed(ready={("anna", "one")})
    await again.rounds()
    assert again.starts == []
    assert again.db.query(Ticket).count() == 0
    assert [row.started is not None for row in again.db.query(Usage)] == [True]
    again.db.close()


def test_a_beamtime_that_begins_while_a_launch_waits_brings_it_forward(tmp_path: Path) -> None:
    """Also in a new hub, and until it ends."""
    limits = LineRules(QueuePolicy(beamtime_lead_s=43_200))
    hub = Hub(f"sqlite:///{tmp_path / 'hub.sqlite'}", TWO, limits)
    full(hub)
    hub.join(demand("anna"))
    hub.clock.now += 60
    begin = hub.clock.now + 600
    hub.join(demand("ben", beamtimes=((begin, begin + 3600),)))
    assert "You are second in line" in hub.line.words(("ben", "one"))
    hub = hub.killed()
    hub.clock.now = begin - 1
    assert "You are second in line" in hub.line.words(("ben", "one"))
    hub.clock.now = begin
    assert "You are first in line" in hub.line.words(("ben", "one"))
    hub.dispatcher.settle()
    ticket = hub.line.call_next()
    assert ticket is not None
    assert ticket.demand.user == "ben"
    hub.line.put_back(ticket.demand.key)
    hub.clock.now += 3600
    assert [one.demand.user for one in hub.line.waiting()] == ["anna", "ben"]
    hub.db.close()


def test_a_ticket_of_another_release_is_read() -> None:
    launch = demand(proposals=("MA-1",), beamtimes=((1.0, 2.0),))
    assert Demand.from_json(json.loads(json.dumps(launch.as_json() | {"unheard_of": 1}))) == launch
    before = launch.as_json()
    del before["beamtimes"]
    assert Demand.from_json(before) == replace(launch, beamtimes=())


async def test_log_lines_of_each_start_have_its_own_reference(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also JupyterHub's, around the start; one request lets another launch start, too."""
    seen: dict[Key, str] = {}
    begin = hub.start

    async def start(key: Key, options: dict[str, object]) -> None:
        # as JupyterHub does: the launch fills it in a task of its own
        await asyncio.ensure_future(fill(f"{key[0]:0>8}"))
        await begin(key, options)
        seen[key] = current_reference()

    async def fill(reference: str) -> None:
        fill_slot(reference)

    monkeypatch.setattr(hub.dispatcher, "_start", start)
    hub.join(demand("ben"))
    hub.join(demand("anna"))
    open_slot()
    await hub.dispatcher.serve_now(("anna", "one"), 5)
    assert current_reference() == "0000anna", "that of the request"
    assert seen == {("ben", "one"): "00000ben", ("anna", "one"): "0000anna"}
    # and nobody's request
    hub.ready.clear()
    hub.join(demand("carla"))
    await hub.rounds()
    assert seen["carla", "one"] == "000carla"
    assert current_reference() == "0000anna"


async def test_who_leaves_is_not_started_and_the_others_move_up(hub: Hub) -> None:
    full(hub)
    for name in ("anna", "ben"):
        hub.join(demand(name))
    assert hub.line.leave(("anna", "one"))
    assert not hub.line.leave(("anna", "one"))
    assert "first" in hub.line.words(("ben", "one"))
    hub.ready.clear()
    await hub.rounds()
    assert hub.starts == [("ben", "one")]


def test_a_start_without_a_ticket_passes_nobody(hub: Hub) -> None:
    full(hub)
    hub.join(demand("anna"))
    with pytest.raises(NoRoom, match="1 launch waits for a free session"):
        hub.line.require_none_waits(demand("ben"))
    hub.line.require_none_waits(demand("anna"))


@pytest.mark.parametrize("wait_s", [10, 2000])
async def test_reserved_sessions_start_with_and_without_a_ticket_while_others_wait(hub: Hub, wait_s: int) -> None:
    school = frozenset({"group:school"})
    course = Reservation(hub.clock.now - 60, hub.clock.now + 8 * 3600, 3, groups=school)
    hub.gate.rules = Rules(facility=Limits(sessions=5), reservations=(course,))
    full(hub)
    hub.join(demand("anna"))
    hub.clock.now += wait_s
    hub.dispatcher.admit(demand("pupil1", groups=school))
    hub.ready.add(("pupil1", "one"))
    with pytest.raises(NoRoom, match="1 launch waits for a free session"):
        hub.dispatcher.admit(demand("ben"))
    hub.join(demand("pupil2", groups=school))
    with pytest.raises(NoRoom, match="1 launch waits for a free session"):
        hub.dispatcher.admit(demand("pupil3", groups=school))
    await hub.rounds()
    assert hub.starts == [("pupil2", "one")]
    hub.join(demand("pupil3", groups=school))
    await hub.rounds()
    assert hub.starts[1:] == [("pupil3", "one")]
    hub.ready.discard(("x", "one"))
    hub.join(demand("pupil4", groups=school))
    await hub.rounds()
    assert hub.starts[2:] == [("anna", "one")], "the reservation is used up"

    # the words are true: it is first in line, and a pupil starts before it
    hub.join(demand("carla"))
    hub.join(demand("pupil5", groups=school))
    words = hub.line.words(("carla", "one"))
    assert words.startswith("You are second in line")
    assert words.endswith("1 launch after yours may start first, in a session that is reserved for it.")
    hub.ready.discard(("pupil1", "one"))
    await hub.rounds()
    assert hub.starts[3:] == [("pupil4", "one")]
    hub.ready.discard(("pupil2", "one"))
    await hub.rounds()
    assert hub.starts[4:] == [("pupil5", "one")]
    assert hub.line.words(("carla", "one")).startswith("You are first in line")


def test_sessions_of_a_group_use_its_reservation_without_a_quota_of_the_group(hub: Hub) -> None:
    school = frozenset({"group:school", "group:other"})
    course = Reservation(hub.clock.now - 60, hub.clock.now + 3600, 2, groups=frozenset({"group:school"}))
    hub.gate.rules = Rules(facility=Limits(sessions=3), reservations=(course,))
    for name in ("pupil1", "pupil2"):
        hub.gate.admit(demand(name, groups=school))
    hub.gate.admit(demand("anna"))
    assert [row.groups for row in hub.db.query(Usage)] == [["group:school"], ["group:school"], []]


def test_tickets_are_limited_and_count_in_the_quota(tmp_path: Path) -> None:
    rules = Rules(person=Limits(sessions=3), facility=Limits(sessions=2))
    hub = Hub(f"sqlite:///{tmp_path / 'hub.sqlite'}", rules, LineRules(tickets_per_person=2))
    full(hub)
    for name in ("a", "b"):
        hub.join(demand("anna", name))
    with pytest.raises(OverQuota, match="2 of your launches wait, and 2 is the limit"):
        hub.join(demand("anna", "c"))
    for name in ("a", "b"):
        hub.join(demand("x", name))
    hub.line.leave(("x", "b"))
    hub.join(demand("x", "b"))
    hub.line.leave(("x", "b"))
    hub.gate.rules = Rules(person=Limits(sessions=2), facility=Limits(sessions=2))
    with pytest.raises(OverQuota, match="You are using 2 of 2 sessions, and this session needs 1"):
        hub.join(demand("x", "b"))
    hub.db.close()


def test_nobody_waits_for_hours_of_the_portal_and_those_who_wait_use_some(tmp_path: Path) -> None:
    rules = Rules(facility=Limits(sessions=2, hours=30))
    hub = Hub(f"sqlite:///{tmp_path / 'hub.sqlite'}", rules)
    full(hub)
    hub.join(demand("anna"))
    words = "All sessions of this portal are using 24 of 30 hours in 30 days, and this session may last 8."
    with pytest.raises(OverQuota, match=words):
        hub.join(demand("ben"))
    # ended after an hour, they count with that one also for a new hub
    hub.dispatcher.settle()
    hub.clock.now += 3600
    hub.ready.clear()
    hub.dispatcher.settle()
    hub = hub.killed()
    hub.line.leave(("anna", "one"))
    words = "All sessions of this portal are using 2 of 30 hours in 30 days, and this session may last 29."
    with pytest.raises(OverQuota, match=words):
        hub.join(demand("ben", hours=29.0))
    hub.join(demand("ben"))
    hub.db.close()


def test_a_session_that_ends_while_the_hub_is_away_counts_at_most_its_time_limit(hub: Hub) -> None:
    """Else a weekend without a hub would use up the hours of a month."""
    full(hub)
    hub.dispatcher.settle()
    hub.clock.now += 3600
    hub.ready.discard(("y", "one"))
    hub.dispatcher.settle()
    hub.clock.now += 60 * 3600
    # its backend does not answer when the hub is back
    again = hub.killed(recorded={("x", "one")})
    again.dispatcher.settle()
    again.clock.now += 3600
    again.recorded.clear()
    again.dispatcher.settle()
    hours = {row.user: (row.ended - row.started) / 3600 for row in again.db.query(Usage)}
    assert hours == {"x": 8, "y": 1}
    again.db.close()


def test_what_could_never_start_does_not_wait(hub: Hub) -> None:
    hub.gate.rules = Rules(facility=Limits(cpus=8))
    with pytest.raises(NoRoom, match="The portal has 8 CPUs, and this session needs 16"):
        hub.join(demand(cpus=16.0))


def test_the_estimate_is_of_what_was_measured(hub: Hub) -> None:
    for number in range(8):
        hub.gate.admit(demand(f"p{number}"))
        hub.gate.settle({(f"p{number}", "one")}, lambda _: True)
        hub.clock.now += 1200
        hub.gate.settle((), lambda _: False)
    full(hub)
    for name in ("anna", "ben", "carla"):
        hub.join(demand(name))
    # one of two sessions of twenty minutes ends every ten
    assert hub.line.words(("carla", "one")) == "You are third in line, about 30 minutes (10 to 50 minutes)."


def test_a_failed_commit_changes_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def fail() -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr(hub.db, "commit", fail)
    with pytest.raises(OperationalError):
        hub.gate.admit(demand())
    monkeypatch.undo()
    assert hub.gate.occupied == []
    hub.gate.admit(demand())
    assert hub.db.query(Usage).count() == 1


# -- what a start costs ---------------------------------------------------------------------------------------------


@pytest.fixture
def unlimited(tmp_path: Path) -> Iterator[Hub]:
    """A hub without quotas, capacity and queue: the default."""
    made = Hub(f"sqlite:///{tmp_path / 'unlimited.sqlite'}", Rules())
    made.dispatcher = Dispatcher(made.gate, made)
    yield made
    made.db.close()


def commits_of(hub: Hub) -> list[None]:
    """Return a list that grows with every commit of this hub."""
    commits: list[None] = []
    event.listen(hub.db.get_bind(), "commit", lambda _: commits.append(None))
    return commits


def test_starts_without_limits_compare_and_commit_nothing_themselves(unlimited: Hub) -> None:
    """1,000 sessions would be compared at each of 1,000 starts; JupyterHub commits before a backend starts anything."""
    commits = commits_of(unlimited)
    for number in range(20):
        unlimited.dispatcher.admit(demand(f"p{number}"))
    assert (unlimited.compared, commits) == (0, [])
    unlimited.db.commit()
    assert len(unlimited.killed().gate.occupied) == 20


@pytest.mark.parametrize("rules", [TWO, Rules(person=Limits(sessions=2))], ids=["capacity", "quota"])
def test_a_start_that_counts_against_a_limit_is_stored_at_once(tmp_path: Path, rules: Rules) -> None:
    hub = Hub(f"sqlite:///{tmp_path / 'hub.sqlite'}", rules)
    commits = commits_of(hub)
    Dispatcher(hub.gate, hub).admit(demand())
    assert len(commits) == 1
    hub.db.rollback()
    assert len(hub.killed().gate.occupied) == 1


def test_what_a_rollback_removed_is_stored_when_the_session_runs(unlimited: Hub) -> None:
    """Of an error in some other request: they share one transaction."""
    unlimited.dispatcher.admit(demand())
    unlimited.db.rollback()
    unlimited.ready.add(("anna", "one"))
    unlimited.dispatcher.settle()
    unlimited.ready.clear()
    unlimited.dispatcher.settle()
    unlimited.db.rollback()
    row = unlimited.db.query(Usage).one()
    assert row.started is not None
    assert row.ended is not None


def test_a_start_is_not_refused_for_a_session_that_has_just_ended(hub: Hub) -> None:
    dispatcher = Dispatcher(hub.gate, hub)
    full(hub)
    with pytest.raises(NoRoom):
        dispatcher.admit(demand())
    hub.ready.discard(("x", "one"))
    dispatcher.admit(demand())
    assert {one.demand.user for one in hub.gate.occupied} == {"y", "anna"}


async def test_who_was_refused_by_the_backend_is_next_when_a_session_ends(hub: Hub) -> None:
    """The quota has room for one: the second is refused, and nobody comes before it however often it has been."""
    hub.gate = Gate(Rules(), hub.db, hub.clock)
    hub.line = Line(hub.gate, hub.limits, hub.db, hub.clock)
    hub.dispatcher = Dispatcher(hub.gate, hub, hub.line, hub.start)
    hub.gate.admit(demand("x"))
    hub.ready.add(("x", "one"))
    refused = NotStarted("The cluster has no room for this session.", "capacity")
    hub.outcome = {("a", "one"): refused, ("b", "one"): refused}
    hub.join(demand("a"))
    await hub.rounds()
    hub.clock.now += 31
    await hub.rounds()
    hub.join(demand("b"))
    hub.clock.now += 5
    await hub.rounds()
    # the backend is not asked again at once, and not for somebody else
    assert hub.starts == [("a", "one"), ("a", "one")]
    hub.ready.clear()
    del hub.outcome["a", "one"]
    await hub.rounds()
    assert hub.starts[2:] == [("a", "one"), ("b", "one")]
    assert hub.ready == {("a", "one")}


async def test_a_refused_start_ends_no_pause(hub: Hub) -> None:
    """What it had is given back; it has not freed anything."""
    hub.gate = Gate(Rules(), hub.db, hub.clock)
    hub.line = Line(hub.gate, hub.limits, hub.db, hub.clock)
    hub.dispatcher = Dispatcher(hub.gate, hub, hub.line, hub.start)
    hub.outcome = {("a", "one"): NotStarted("The cluster has no room for this session.", "capacity")}
    hub.join(demand("a"))
    await hub.rounds(10)
    assert hub.starts == [("a", "one")]


def test_room_is_looked_for_once_for_all_who_need_the_same(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    full(hub)
    for number in range(20):
        hub.join(demand(f"p{number}"))
    asked: list[str] = []
    real = hub.gate.require_room

    def require_room(launch: Demand) -> None:
        asked.append(launch.user)
        real(launch)

    monkeypatch.setattr(hub.gate, "require_room", require_room)
    assert hub.line.call_next() is None
    assert asked == ["p0"]
