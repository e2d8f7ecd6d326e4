"""Capacity that is asked of the backend: settings, what an answer means, and no answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from traitlets.config import Config

from daas_hub.admission.backend_capacity import Asked, BackendCapacity
from daas_hub.admission.capacity_watch import CapacityWatch
from daas_hub.admission.gate import Gate
from daas_hub.admission.limits import Limits
from daas_hub.admission.quota import NoRoom, use_of
from daas_hub.admission.settings import Quotas
from daas_hub.errors import ConfigurationError, SessionFailed
from daas_hub.launch import Place
from daas_hub.tables import Base
from tests.admission.scenes import GIB, Clock, demand

LARGE = Place("large", "Large nodes", "sandbox")
EVERYTHING = {"sessions": "ask", "cpus": "ask", "memory": "ask", "gpus": "ask"}


def gate_of(**quotas: Any) -> Gate:
    config = Config({"Quotas": quotas})
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    places = (LARGE,) if "places" in quotas else ()
    return Gate(Quotas(config=config).rules(config, places), Session(engine), Clock())


class Backend:
    """A backend with an answer, or none."""

    def __init__(self, **limits: float) -> None:
        self.limits: dict[str, Any] | None = dict(limits)
        self.is_machine = False

    async def __call__(self) -> BackendCapacity:
        if self.limits is None:
            raise SessionFailed("The cluster that runs the sessions does not answer.", detail="Connect call failed")
        return BackendCapacity(Limits(**self.limits), "the quota of a namespace", is_machine=self.is_machine)


def watch_of(gate: Gate, **backends: Callable[[], Awaitable[BackendCapacity | None]]) -> tuple[CapacityWatch, Clock]:
    clock = Clock()
    names = {"only": ""}
    return CapacityWatch(gate, {names.get(name, name): one for name, one in backends.items()}, 30, clock=clock), clock


async def test_an_answer_is_the_limit() -> None:
    gate = gate_of(facility={"sessions": 50, "cpus": "ask", "memory": "ask"})
    watch, _ = watch_of(gate, only=Backend(sessions=7, cpus=4.0, memory_bytes=16.0 * GIB, gpus=0))
    await watch.round()
    assert gate.rules.facility == Limits(sessions=50, cpus=4.0, memory_bytes=16 * GIB), "the rest is as configured"
    gate.admit(demand(session="one"))
    gate.admit(demand(session="two"))
    with pytest.raises(NoRoom, match="The portal is full: 4 of 4 CPUs are in use, and this session needs 2"):
        gate.admit(demand(session="three"))
    assert use_of(gate.rules, "", gate.occupied)["cpus"] == (4, 4)


async def test_what_changes_is_asked_again() -> None:
    backend = Backend(cpus=2.0)
    gate = gate_of(places={"large": {"cpus": "ask"}})
    watch, _ = watch_of(gate, large=backend)
    await watch.round()
    gate.admit(demand(session="one", place="large"))
    with pytest.raises(NoRoom):
        gate.admit(demand(session="two", place="large"))
    before = gate.version
    backend.limits = {"cpus": 64.0}
    await watch.round()
    assert gate.version > before, "the queue is served"
    gate.admit(demand(session="two", place="large"))


async def test_nothing_is_limited_before_the_first_answer() -> None:
    gate = gate_of(facility=EVERYTHING)
    assert gate.rules.has_capacity, "a queue makes sense"
    backend = Backend()
    backend.limits = None
    watch, _ = watch_of(gate, only=backend)
    await watch.round()
    gate.admit(demand(cpus=1000.0))
    assert watch.described("") == {
        "source": "",
        "age_s": None,
        "problem": "The cluster that runs the sessions does not answer. Connect call failed",
    }


async def test_the_last_answer_counts_while_there_is_none_and_refuses_nobody_for_good() -> None:
    backend = Backend(cpus=2.0)
    gate = gate_of(facility={"cpus": "ask"})
    watch, clock = watch_of(gate, only=backend)
    await watch.round()
    with pytest.raises(NoRoom) as never:
        gate.admit(demand(cpus=8.0))
    assert never.value.is_never
    backend.limits = None
    clock.now += 100
    await watch.round()
    assert gate.rules.facility.cpus == 2, "as it was last known"
    with pytest.raises(NoRoom) as later:
        gate.admit(demand(cpus=8.0))
    assert not later.value.is_never, "the backend may have more when it answers"
    known = watch.described("")
    assert known is not None
    assert (known["age_s"], known["source"]) == (100, "the quota of a namespace")
    backend.limits = {"cpus": 8.0}
    await watch.round()
    gate.admit(demand(cpus=8.0))


async def test_a_place_that_hangs_does_not_hold_another(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr("daas_hub.admission.capacity_watch.TIMEOUT_S", 0.05)

    async def hangs() -> BackendCapacity:
        await asyncio.Event().wait()
        raise AssertionError

    config = Config({"Quotas": {"places": {"large": {"cpus": "ask"}, "small": {"cpus": "ask"}}}})
    gate = gate_of()
    gate.rules = Quotas(config=config).rules(config, (LARGE, Place("small", "Small", "sandbox")))
    watch, _ = watch_of(gate, large=hangs, small=Backend(cpus=3.0))
    await watch.round()
    assert gate.rules.places["small"].cpus == 3
    assert gate.rules.uncertain == {"large"}
    assert watch.answers["large"].problem == "no answer within 0 s"


@pytest.mark.parametrize(
    ("reserve", "is_machine", "left"),
    [
        (None, False, 16),
        (None, True, 15),
        (Limits(memory_bytes=4.0 * GIB), True, 12),
        (Limits(memory_bytes=4.0 * GIB), False, 12),
        (Limits(), True, 16),
        (Limits(memory_bytes=40.0 * GIB), True, 0),
    ],
)
def test_a_reserve_is_taken_off(reserve: Limits | None, left: int, *, is_machine: bool) -> None:
    answer = BackendCapacity(Limits(memory_bytes=16.0 * GIB), "this machine", is_machine=is_machine)
    found = Asked(frozenset({"memory_bytes"}), reserve).limits(Limits(), answer)
    assert found.memory_bytes == left * GIB


def test_a_reserve_of_nothing_can_be_configured() -> None:
    config = Config({"Quotas": {"facility": {"memory": "ask", "reserve": {"memory": 0}}}})
    assert Quotas(config=config).rules(config, ()).asked[""] == Asked(frozenset({"memory_bytes"}), Limits())


@pytest.mark.parametrize(
    ("quotas", "words"),
    [
        ({"facility": {"memory": "asks"}}, "Quotas.facility['memory'] = 'asks': is not an amount of memory"),
        ({"facility": {"sessions": "ASK"}}, "Quotas.facility['sessions'] = 'ASK': is not a whole number"),
        ({"person": {"cpus": "ask"}}, "Quotas.person['cpus'] = 'ask': is not a number above 0"),
        ({"facility": {"hours": "ask"}}, "Quotas.facility['hours'] = 'ask': is not a number above 0"),
        ({"facility": {"cpus": "ask", "reserve": {"hours": 1}}}, "Quotas.facility['reserve']['hours']"),
        ({"facility": {"cpus": 4, "reserve": {"cpus": 1}}}, 'has no effect without an "ask"'),
        ({"facility": {"cpus": "ask", "reserve": {"cpu": 1}}}, "Quotas.facility['reserve']['cpu']"),
        ({"facility": {"cpus": "ask", "reserve": 1}}, "Quotas.facility['reserve'] = 1: is not a dictionary"),
        ({"facility": "ask"}, ""),
        (
            {"facility": {"cpus": "ask"}, "places": {"large": {}}},
            "Quotas.facility = 'ask': asks one backend, and this portal has several places",
        ),
    ],
)
def test_a_wrong_ask_has_a_sentence(quotas: dict[str, Any], words: str) -> None:
    from traitlets import TraitError

    with pytest.raises((ConfigurationError, TraitError)) as problem:
        gate_of(**quotas)
    assert words in str(problem.value)
