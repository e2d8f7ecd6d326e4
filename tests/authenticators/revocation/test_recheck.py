"""The watch over people whose sessions run: who loses them, and when nobody does."""

from __future__ import annotations

import asyncio

import pytest

from daas_hub.authenticators.revocation.recheck import Decision, Verdict, Watch, decide

THERE, GONE, EMPTY, UNKNOWN = Verdict.THERE, Verdict.GONE, Verdict.EMPTY, Verdict.UNKNOWN


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


async def test_a_round_comes_soon_when_somebody_was_refused() -> None:
    house = House(anna=GONE)
    running = asyncio.ensure_future(house.watch.run())
    house.watch.soon()
    await asyncio.wait_for(house.turn.wait(), 30)
    running.cancel()
    assert house.ended == ["anna"]
    assert 295 in house.waits, "otherwise every five minutes"
