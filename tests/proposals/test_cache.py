"""The memory of a provider's answers: per account, a minute for pages, longer and marked while the provider is down,
never for a launch; and an outage is told once (ES07, D3, D7, G5).
"""

from __future__ import annotations

import asyncio
import logging

import pytest

from daas_hub.accounts import Account, Identity
from daas_hub.errors import SourceUnavailable
from daas_hub.proposals import CachedProposals, Proposal


def account_named(name: str, **more: object) -> Account:
    return Account(name, 25001, 25001, **more)  # type: ignore[arg-type]


ANNA = account_named("anna")


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Office:
    """A provider whose answers, failures and slowness the test decides."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked: list[str] = []
        self.down = False
        self.takes = 0.0
        self.title = "first"

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        self.asked.append(account.name)
        self.clock.now += self.takes
        await asyncio.sleep(0)
        if self.down:
            raise SourceUnavailable("The user office does not answer.", detail="office: got HTML")
        return (Proposal(f"P-{account.name}", self.title),)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def office(clock: Clock) -> Office:
    return Office(clock)


@pytest.fixture
def memory(office: Office, clock: Clock) -> CachedProposals:
    return CachedProposals(office, cache_s=60, stale_cache_s=3600, max_accounts=3, clock=clock)


@pytest.mark.parametrize(
    ("age", "questions"),
    [
        pytest.param(0, 1, id="at once"),
        pytest.param(60, 1, id="a minute"),
        pytest.param(60.1, 2, id="more than a minute"),
        pytest.param(-3600, 1, id="F11 the clock went back an hour: no storm of questions"),
    ],
)
async def test_an_answer_is_cached_for_a_minute(
    memory: CachedProposals, office: Office, clock: Clock, age: float, questions: int
) -> None:
    await memory.proposals_of(ANNA)
    clock.now += age
    answer = await memory.proposals_of(ANNA)
    assert len(office.asked) == questions
    assert not answer.is_stale
    assert answer.age_s == (max(age, 0) if questions == 1 else 0)


async def test_a_launch_asks_the_source_itself(memory: CachedProposals, office: Office) -> None:
    await memory.proposals_of(ANNA)
    office.title = "changed"
    assert (await memory.proposals_of(ANNA, fresh=True)).proposals[0].title == "changed"
    assert (await memory.proposals_of(ANNA)).proposals[0].title == "changed", "pages then see what the launch was told"


@pytest.mark.parametrize("age", [0, 61, 3601])
async def test_a_launch_is_refused_while_the_source_is_down(
    memory: CachedProposals, office: Office, clock: Clock, age: float
) -> None:
    """D7: never fail open, whatever pages may still show."""
    await memory.proposals_of(ANNA)
    office.down = True
    clock.now += age
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            await memory.proposals_of(ANNA, fresh=True)


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        pytest.param(61, True, id="older than a minute"),
        pytest.param(3600, True, id="as old as is shown"),
        pytest.param(3600.1, False, id="out of date"),
    ],
)
async def test_pages_get_a_stale_answer_with_its_age(
    memory: CachedProposals, office: Office, clock: Clock, age: float, shown: bool
) -> None:
    """ES07: optional and expiring; it is marked, so that no page takes it for today's."""
    await memory.proposals_of(ANNA)
    office.down = True
    clock.now += age
    if not shown:
        with pytest.raises(SourceUnavailable):
            await memory.proposals_of(ANNA)
        return
    answer = await memory.proposals_of(ANNA)
    assert answer.is_stale
    assert answer.age_s == age
    assert str(answer.problem) == "The user office does not answer."
    assert [one.id for one in answer.proposals] == ["P-anna"]


async def test_a_stale_answer_is_not_shown_to_others(memory: CachedProposals, office: Office) -> None:
    await memory.proposals_of(ANNA)
    office.down = True
    with pytest.raises(SourceUnavailable):
        await memory.proposals_of(account_named("ben"))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(account_named("anna", groups=(26001,)), id="D3 a group more or less"),
        pytest.param(account_named("anna", login=Identity("https://other.example.org", "anna")), id="F7 another login"),
        pytest.param(Account("anna", 25002, 25001), id="another uid"),
    ],
)
async def test_an_account_that_changed_is_asked_about_anew(
    memory: CachedProposals, office: Office, other: Account
) -> None:
    await memory.proposals_of(ANNA)
    await memory.proposals_of(other)
    assert len(office.asked) == 2


async def test_a_failure_is_not_cached(memory: CachedProposals, office: Office) -> None:
    office.down = True
    with pytest.raises(SourceUnavailable):
        await memory.proposals_of(ANNA)
    office.down = False
    assert (await memory.proposals_of(ANNA)).proposals


async def test_a_slow_failure_does_not_slow_down_every_page(
    memory: CachedProposals, office: Office, clock: Clock
) -> None:
    """After a failure of ten seconds pages do not ask for thirty; a launch does."""
    office.down, office.takes = True, 10
    for wait in (0, 29, 0):
        clock.now += wait
        with pytest.raises(SourceUnavailable):
            await memory.proposals_of(ANNA)
    assert len(office.asked) == 1
    with pytest.raises(SourceUnavailable):
        await memory.proposals_of(ANNA, fresh=True)
    assert len(office.asked) == 2
    clock.now += 31
    office.down = False
    assert not (await memory.proposals_of(ANNA)).is_stale


async def test_an_outage_and_its_end_are_logged_once(
    memory: CachedProposals, office: Office, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """PS02: an alarm, not a flood of them; with what the service said instead."""
    for down in (True, True, True, False, False, True, True):
        office.down = down
        clock.now += 100
        if down:
            with pytest.raises(SourceUnavailable):
                await memory.proposals_of(account_named("ben"), fresh=True)
        else:
            await memory.proposals_of(ANNA)
    told = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert told == [
        (logging.ERROR, "the source of proposals is down: office: got HTML"),
        (logging.WARNING, "the source of proposals is up again after 300 s"),
        (logging.ERROR, "the source of proposals is down: office: got HTML"),
    ]


async def test_a_hundred_people_at_once_each_see_their_own(office: Office) -> None:
    """G5."""
    memory = CachedProposals(office, max_accounts=10)
    names = [f"user{number}" for number in range(100)] * 3
    answers = await asyncio.gather(*(memory.proposals_of(account_named(name)) for name in names))
    assert [answer.proposals[0].id for answer in answers] == [f"P-{name}" for name in names]


async def test_the_cache_is_bounded(memory: CachedProposals, office: Office) -> None:
    """The one asked longest ago is forgotten."""
    for name in ("anna", "ben", "carla", "dmitri"):
        await memory.proposals_of(account_named(name))
    office.asked.clear()
    for name in ("ben", "carla", "dmitri"):
        await memory.proposals_of(account_named(name))
    assert office.asked == []
    await memory.proposals_of(ANNA)
    assert office.asked == ["anna"]
