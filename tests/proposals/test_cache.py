"""The short memory of a provider's answers: per person, a minute at most, never for a launch (ES07, D3, D7, G5)."""

from __future__ import annotations

import asyncio

import pytest

from daas_hub.errors import SourceUnavailable
from daas_hub.proposals import Proposal, RememberedProposals


class Office:
    """A provider whose answers and failures the test decides."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False
        self.title = "first"

    async def proposals_of(self, account_name: str) -> tuple[Proposal, ...]:
        self.asked.append(account_name)
        await asyncio.sleep(0)
        if self.down:
            raise SourceUnavailable("The user office does not answer.")
        return (Proposal(f"P-{account_name}", self.title),)


class Clock:
    """A clock that goes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(office: Office, clock: Clock) -> RememberedProposals:
    return RememberedProposals(office, keep_s=60, people=3, clock=clock)


@pytest.mark.parametrize(
    ("age", "questions"),
    [
        pytest.param(0, 1, id="at once"),
        pytest.param(60, 1, id="a minute"),
        pytest.param(60.1, 2, id="more than a minute"),
        pytest.param(-3600, 1, id="F11 the clock went back an hour: no storm of questions"),
    ],
)
async def test_an_answer_is_remembered_for_a_minute(
    memory: RememberedProposals, office: Office, clock: Clock, age: float, questions: int
) -> None:
    await memory.proposals_of("anna")
    clock.now += age
    await memory.proposals_of("anna")
    assert len(office.asked) == questions


async def test_a_launch_asks_the_source_itself(memory: RememberedProposals, office: Office) -> None:
    await memory.proposals_of("anna")
    office.title = "changed"
    assert (await memory.proposals_of("anna", fresh=True))[0].title == "changed"
    assert (await memory.proposals_of("anna"))[0].title == "changed", "pages then see what the launch was told"


async def test_a_launch_is_refused_while_the_source_is_down(memory: RememberedProposals, office: Office) -> None:
    """D7: never fail open."""
    await memory.proposals_of("anna")
    office.down = True
    with pytest.raises(SourceUnavailable):
        await memory.proposals_of("anna", fresh=True)
    assert await memory.proposals_of("anna"), "pages still show what is younger than a minute"


async def test_an_old_answer_does_not_stand_in_for_a_source_that_is_down(
    memory: RememberedProposals, office: Office, clock: Clock
) -> None:
    await memory.proposals_of("anna")
    office.down = True
    clock.now += 61
    with pytest.raises(SourceUnavailable):
        await memory.proposals_of("anna")


async def test_a_failure_is_not_remembered(memory: RememberedProposals, office: Office) -> None:
    office.down = True
    with pytest.raises(SourceUnavailable):
        await memory.proposals_of("anna")
    office.down = False
    assert await memory.proposals_of("anna")


async def test_a_hundred_people_at_once_each_see_their_own(office: Office) -> None:
    """G5."""
    memory = RememberedProposals(office, people=10)
    names = [f"user{number}" for number in range(100)] * 3
    answers = await asyncio.gather(*(memory.proposals_of(name) for name in names))
    assert [answer[0].id for answer in answers] == [f"P-{name}" for name in names]


async def test_the_memory_is_bounded(memory: RememberedProposals, office: Office) -> None:
    """The one asked longest ago is forgotten."""
    for name in ("anna", "ben", "carla", "dmitri"):
        await memory.proposals_of(name)
    office.asked.clear()
    for name in ("ben", "carla", "dmitri"):
        await memory.proposals_of(name)
    assert office.asked == []
    await memory.proposals_of("anna")
    assert office.asked == ["anna"]
