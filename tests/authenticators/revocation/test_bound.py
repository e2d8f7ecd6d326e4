"""A right that ends, ends its sessions within five minutes: 200 of 200, with slow sources and a virtual clock.

With a real portal: `benchmarks/ended_rights.py`.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Sequence

import pytest

from daas_hub.authenticators.revocation.recheck import Verdict, Watch
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator

BOUND_S = 300.0
SESSIONS, ENDED = 500, 200


class _NoWait(selectors.DefaultSelector):
    """A selector that waits for nobody."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its next timer."""

    def __init__(self) -> None:
        super().__init__(_NoWait())
        self._now = 0.0

    def time(self) -> float:
        """Return the virtual time."""
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._now = max(self._now, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


class House:
    """Sessions whose rights end at random moments; a check takes a second, and a stop as long as a program lets it."""

    def __init__(self, seed: int, *, stuck: frozenset[str] = frozenset()) -> None:
        self.random = random.Random(seed)
        names = [f"s{number}" for number in range(SESSIONS)]
        lost = self.random.sample(names, ENDED)
        self.lost = {name: self.random.uniform(0, 1800) for name in lost}
        self.running = set(names)
        self.ended: dict[str, float] = {}
        self.stuck = stuck & set(lost) | (set(lost[: len(stuck)]) if stuck else set())
        every_s = float(UmbrellaAuthenticator.recheck_s.default_value)  # type: ignore[attr-defined]
        self.watch = Watch(lambda: sorted(self.running), self.look, self.end, every_s)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def look(self, name: str) -> Verdict:
        asked = self.now()
        await asyncio.sleep(self.random.uniform(0.1, 1.5))
        return Verdict.GONE if self.lost.get(name, 1e9) <= asked else Verdict.THERE

    async def end(self, name: str) -> Sequence[str]:
        await asyncio.sleep(30 if name in self.stuck else self.random.uniform(0.2, 4.5))
        if name in self.stuck:
            return [name]
        self.running.discard(name)
        self.ended[name] = self.now()
        return []

    async def live(self, until: float) -> None:
        watching = asyncio.ensure_future(self.watch.run())
        await asyncio.sleep(until)
        watching.cancel()


@pytest.mark.parametrize("seed", range(5))
def test_200_of_200_end_within_five_minutes(seed: int) -> None:
    loop = VirtualLoop()

    async def walk() -> House:
        house = House(seed)
        await house.live(1800 + BOUND_S)
        return house

    try:
        house = loop.run_until_complete(walk())
    finally:
        loop.close()
    late = {name: house.ended.get(name) for name, at in house.lost.items() if house.ended.get(name, 1e9) - at > BOUND_S}
    assert late == {}
    assert len(house.ended) == ENDED, "and nobody else"
    assert house.watch.braked == house.watch.unconfirmed == 0


def test_those_whose_end_is_not_confirmed_are_counted_apart(caplog: pytest.LogCaptureFixture) -> None:
    """They delay nobody else beyond the bound."""
    loop = VirtualLoop()

    async def walk() -> House:
        house = House(7, stuck=frozenset({"s1", "s2", "s3"}))
        await house.live(1800 + BOUND_S)
        return house

    try:
        house = loop.run_until_complete(walk())
    finally:
        loop.close()
    assert set(house.lost) - set(house.ended) == house.stuck
    assert all(at - house.lost[name] <= BOUND_S for name, at in house.ended.items())
    assert house.watch.unconfirmed == len(house.stuck)
    assert "may still run" in caplog.text
