"""The watch over people whose sessions run: who loses them, and when nobody does."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from daas_hub.authenticators.revocation.recheck import Decision, Verdict, Watch, decide
from daas_hub.metrics import revocation
from daas_hub.metrics.revocation import frozen_checks, unconfirmed_ends

THERE, GONE, EMPTY, UNKNOWN = Verdict.THERE, Verdict.GONE, Verdict.EMPTY, Verdict.UNKNOWN


@pytest.fixture(autouse=True)
def nothing_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other test's hub be counted."""
    monkeypatch.setattr(revocation, "_is_frozen", {})
    monkeypatch.setattr(revocation, "_unconfirmed", {})


@pytest.mark.parametrize(
    ("verdicts", "decision"),
    [
        pytest.param([], Decision(()), id="nobody"),
        pytest.param([GONE], Decision(("p0",)), id="one of one"),
        pytest.param([GONE] * 4, Decision(("p0", "p1", "p2", "p3")), id="four of four: too few to tell"),
        pytest.param([GONE] * 5, Decision((), braked=True), id="five of five"),
        pytest.param([GONE] * 3 + [THERE] * 2, Decision((), braked=True), id="three of five"),
        pytest.param([GONE] * 2 + [THERE] * 3, Decision(("p0", "p1")), id="two of five"),
        pytest.param([GONE] * 3 + [THERE] * 3, Decision(("p0", "p1", "p2")), id="exactly half"),
        pytest.param([GONE] * 4 + [UNKNOWN] * 9, Decision(("p0", "p1", "p2", "p3")), id="silence counts for nobody"),
        pytest.param([GONE] * 5 + [UNKNOWN] * 9, Decision((), braked=True), id="nor against the brake"),
        pytest.param([UNKNOWN] * 9, Decision(()), id="a source that is down ends nothing"),
        pytest.param([THERE] * 9, Decision(()), id="all is well"),
        pytest.param([EMPTY], Decision((), braked=True), id="empty where it had answers"),
        pytest.param([EMPTY] * 3 + [UNKNOWN], Decision((), braked=True), id="empty for everybody who could be asked"),
        pytest.param([EMPTY, THERE], Decision(("p0",)), id="somebody lost the last one, and the source works"),
        pytest.param([EMPTY, GONE], Decision(("p0", "p1")), id="the other still has some"),
        pytest.param([EMPTY] * 4 + [THERE] * 3, Decision((), braked=True), id="empty for most"),
    ],
)
def test_one_round(verdicts: list[Verdict], decision: Decision) -> None:
    assert decide({f"p{number}": verdict for number, verdict in enumerate(verdicts)}) == decision


class House:
    """People with sessions, and a clock that goes when it is told to."""

    def __init__(self, **verdicts: Verdict) -> None:
        self.verdicts = verdicts
        self.ended: list[str] = []
        self.waits: list[float] = []
        self.turn = asyncio.Event()
        self.watch = Watch(lambda: list(self.verdicts), self.look, self.end, 300, self.wait)

    async def look(self, name: str) -> Verdict:
        return self.verdicts[name]

    async def end(self, name: str) -> None:
        if name == "stuck":
            raise RuntimeError("it does not stop")
        self.ended.append(name)
        self.verdicts.pop(name, None)
        self.turn.set()

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if seconds > 10:
            await asyncio.Event().wait()


async def test_one_that_does_not_end_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    house = House(stuck=GONE, anna=GONE, ben=THERE)
    await house.watch.round()
    assert house.ended == ["anna"]
    assert "stuck" in caplog.text


async def test_one_that_cannot_be_looked_at_does_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    house = House(anna=GONE)
    house.watch._people = lambda: ["unknown", "anna"]
    await house.watch.round()
    assert house.ended == ["anna"]
    assert "unknown" in caplog.text


async def test_the_brake_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A source that broke must not end everybody's work."""
    house = House(a=GONE, b=GONE, c=GONE, d=GONE, e=THERE)
    await house.watch.round()
    assert house.ended == []
    assert "4 of 5" in caplog.text


async def test_a_source_that_is_suddenly_empty_is_reported_until_it_answers_again() -> None:
    house = House(a=THERE, b=THERE)
    house.watch.publish("proposals")
    frozen = []
    for verdict in (THERE, EMPTY, UNKNOWN, THERE, EMPTY):
        house.verdicts = dict.fromkeys("ab", verdict)
        await house.watch.round()
        frozen.append(REGISTRY.get_sample_value("daas_recheck_frozen", {"check": "proposals"}))
    assert frozen == [0, 1, 1, 0, 1], "silence is no answer"
    assert frozen_checks() == ["proposals"]
    house.verdicts = {}
    await house.watch.round()
    assert frozen_checks() == [], "nobody has a session any more that would be held"
    assert house.ended == []


async def test_what_could_not_be_ended_is_counted_while_it_runs() -> None:
    house = House(stuck=GONE, anna=GONE, ben=THERE)
    house.watch.publish("accounts")
    await house.watch.round()
    assert unconfirmed_ends() == 1
    house.verdicts.pop("stuck")
    assert unconfirmed_ends() == 0


async def test_a_round_comes_soon_when_somebody_was_refused() -> None:
    house = House(anna=GONE)
    running = asyncio.ensure_future(house.watch.run())
    house.watch.soon()
    await asyncio.wait_for(house.turn.wait(), 30)
    running.cancel()
    assert house.ended == ["anna"]
    assert 295 in house.waits, "otherwise every five minutes"
