"""Turns of starts: their order, what is reported to those that wait, and that no turn is lost."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from daas_hub.spawners.concurrent_starts import ConcurrentStarts, Turn

LONG_S = 3600.0


class Starting:
    """A start that asks for a turn, and what was reported to it."""

    def __init__(self, starts: ConcurrentStarts, owner: str) -> None:
        self.reported: list[int] = []
        self.task = asyncio.ensure_future(starts.turn(owner, self.reported.append))

    @property
    def has_turn(self) -> bool:
        return self.task.done() and not self.task.cancelled()

    @property
    def turn(self) -> Turn:
        return self.task.result()[0]

    @property
    def waited(self) -> bool:
        return self.task.result()[1]


async def settle() -> None:
    """Let everything that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def ask(starts: ConcurrentStarts, number: int, owners: str = "abcdefgh") -> list[Starting]:
    """Ask for a number of turns, for each of these owners in rotation."""
    asking = [Starting(starts, owner) for owner in itertools.islice(itertools.cycle(owners), number)]
    await settle()
    return asking


def with_turn(asking: list[Starting]) -> list[int]:
    return [number for number, one in enumerate(asking) if one.has_turn]


async def test_as_many_as_the_limit_begin_and_the_next_ones_in_order() -> None:
    asking = await ask(ConcurrentStarts(2, LONG_S), 5)
    assert with_turn(asking) == [0, 1]
    asking[1].turn.end()
    await settle()
    assert with_turn(asking) == [0, 1, 2]
    asking[2].turn.end()
    asking[0].turn.end()
    await settle()
    assert with_turn(asking) == [0, 1, 2, 3, 4]
    assert [one.waited for one in asking] == [False, False, True, True, True]


async def test_those_that_wait_are_told_how_many_are_before_them() -> None:
    asking = await ask(ConcurrentStarts(2, LONG_S), 5)
    assert [one.reported for one in asking] == [[], [], [2], [3], [4]]
    asking[0].turn.end()
    await settle()
    assert [one.reported for one in asking[3:]] == [[3, 2], [4, 3]]


async def test_no_limit_lets_everybody_begin() -> None:
    assert with_turn(await ask(ConcurrentStarts(0, LONG_S), 50)) == list(range(50))


async def test_a_turn_that_is_ended_twice_counts_once() -> None:
    asking = await ask(ConcurrentStarts(1, LONG_S), 3)
    asking[0].turn.end()
    asking[0].turn.end()
    await settle()
    assert with_turn(asking) == [0, 1]


@pytest.mark.parametrize("which", [1, 2])
async def test_a_start_that_is_stopped_while_it_waits_is_passed_over(which: int) -> None:
    asking = await ask(ConcurrentStarts(1, LONG_S), 4)
    asking[which].task.cancel()
    await settle()
    assert asking[3].reported[-1] == 2
    asking[0].turn.end()
    await settle()
    assert with_turn(asking) == [0, 3 - which]


async def test_a_start_that_is_stopped_in_the_moment_of_its_turn_gives_it_back() -> None:
    asking = await ask(ConcurrentStarts(1, LONG_S), 3)
    asking[0].turn.end()
    # its turn was given to it, and it has not run since
    asking[1].task.cancel()
    await settle()
    assert with_turn(asking) == [0, 2]


async def test_a_start_that_is_stopped_right_before_its_turn_is_passed_over() -> None:
    asking = await ask(ConcurrentStarts(1, LONG_S), 3)
    asking[1].task.cancel()
    asking[0].turn.end()
    await settle()
    assert with_turn(asking) == [0, 2]


async def test_a_session_that_does_not_respond_holds_nobody_up_for_long() -> None:
    starts = ConcurrentStarts(1, 1.0)
    asking = await ask(starts, 2)
    assert with_turn(asking) == [0]
    async with asyncio.timeout(30):
        await asking[1].task
        await asyncio.sleep(1.2)
    # their turns ended by themselves, and once each
    asking[0].turn.end()
    asking[1].turn.end()
    assert with_turn(await ask(starts, 2)) == [0]


async def test_whoever_comes_later_does_not_pass_those_that_wait() -> None:
    starts = ConcurrentStarts(1, LONG_S)
    asking = await ask(starts, 2)
    asking[0].turn.end()
    late = (await ask(starts, 1))[0]
    assert asking[1].has_turn
    assert not late.has_turn


async def test_nobodys_second_start_is_before_another_ones_first() -> None:
    starts = ConcurrentStarts(1, LONG_S)
    many = await ask(starts, 4, "a")
    other = (await ask(starts, 1, "b"))[0]
    assert other.reported == [1]
    many[0].turn.end()
    await settle()
    assert (other.has_turn, many[1].has_turn) == (True, False)
    other.turn.end()
    await settle()
    assert with_turn(many) == [0, 1]
    # what has ended does not count: the next launch is a first one again
    again = (await ask(starts, 1, "b"))[0]
    many[1].turn.end()
    await settle()
    assert again.has_turn
