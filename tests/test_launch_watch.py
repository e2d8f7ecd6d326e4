"""A launch is measured by stage and counted once, however it ends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from daas_hub.errors import ErrorKind, Refused, SessionFailed, SourceUnavailable, StorageProblem
from daas_hub.launch_reference import current_reference, open_slot
from daas_hub.launch_watch import LaunchWatch

PLAN: Any = SimpleNamespace(
    place="engine-2", application=SimpleNamespace(kind="desktop"), account=SimpleNamespace(name="anna")
)


class Clock:
    """A clock that a test advances."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def seconds(stage: str) -> float:
    labels = {"stage": stage, "place": "engine-2", "application_kind": "desktop"}
    return count("daas_launch_stage_duration_seconds_sum", **labels)


async def test_time_belongs_to_one_stage() -> None:
    """What a stage within another one takes is not counted twice."""
    clock = Clock()
    before = {stage: seconds(stage) for stage in ("authorise", "prepare", "start", "respond")}
    launching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    watch = LaunchWatch("anna-hub", "pymca-1", clock)
    watch.follow(launching)
    watch.enter("authorise")
    clock.now += 1
    watch.planned(PLAN)
    with watch.stage("prepare"):
        clock.now += 10
    clock.now += 2
    watch.enter("")
    clock.now += 1000  # between the stages
    watch.enter("start")
    with watch.stage("start"):
        clock.now += 100
    watch.enter("respond")
    clock.now += 0.5
    started = count("daas_launches_started_total", place="engine-2", application_kind="desktop")
    launching.set_result(None)
    await asyncio.sleep(0)
    assert count("daas_launches_started_total", place="engine-2", application_kind="desktop") == started + 1
    spent = {stage: round(seconds(stage) - value, 3) for stage, value in before.items()}
    assert spent == {"authorise": 3, "prepare": 10, "start": 100, "respond": 0.5}
    # a route that is added again later does not belong to this launch
    watch.enter("route")
    assert seconds("route") == 0


@pytest.mark.parametrize(
    ("problem", "name", "labels"),
    [
        (Refused("No."), "daas_launch_refusals_total", {"reason": "refused", "kind": "refused"}),
        (
            StorageProblem("Missing.", kind=ErrorKind.DIRECTORY_MISSING),
            "daas_launch_refusals_total",
            {"reason": "storage", "kind": "directory_missing"},
        ),
        (
            SourceUnavailable("Down.", kind=ErrorKind.TIMEOUT),
            "daas_launch_failures_total",
            {"reason": "source", "kind": "timeout", "place": "engine-2"},
        ),
        (
            SessionFailed("It ended."),
            "daas_launch_failures_total",
            {"reason": "start", "kind": "session", "place": "engine-2"},
        ),
    ],
    ids=["a rule", "a directory", "a source", "a backend"],
)
async def test_a_launch_that_gives_no_session_is_counted_once(problem: Any, name: str, labels: dict[str, str]) -> None:
    before = count(name, **labels)
    launching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    watch = LaunchWatch("anna-hub", "pymca-1")
    watch.follow(launching)
    watch.planned(PLAN)
    watch.failed(problem)
    # the hub's own error about it
    launching.set_exception(RuntimeError("spawn failed"))
    await asyncio.sleep(0)
    assert count(name, **labels) == before + 1


@pytest.mark.parametrize(
    ("problem", "kind"), [(TimeoutError(), "timeout"), (RuntimeError("?"), "session")], ids=["too late", "other"]
)
async def test_an_end_that_only_the_hub_sees_is_a_failure(problem: Exception, kind: str) -> None:
    labels = {"reason": "start", "kind": kind, "place": "default"}
    before = count("daas_launch_failures_total", **labels)
    launching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    LaunchWatch("anna-hub", "pymca-1").follow(launching)
    launching.set_exception(problem)
    await asyncio.sleep(0)
    assert count("daas_launch_failures_total", **labels) == before + 1


async def test_the_end_of_an_earlier_launch_is_not_followed() -> None:
    """The hub keeps a failed launch until the next one."""
    labels = {"reason": "start", "kind": "session", "place": "default"}
    before = count("daas_launch_failures_total", **labels)
    earlier: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    earlier.set_exception(RuntimeError("earlier"))
    LaunchWatch("anna-hub", "pymca-1").follow(earlier)
    await asyncio.sleep(0)
    assert earlier.exception() is not None
    assert count("daas_launch_failures_total", **labels) == before


async def test_a_request_has_the_reference_of_the_launch_in_it() -> None:
    """The hub runs a launch in a task of its own, and logs about it outside."""
    open_slot()

    async def launch() -> str:
        return LaunchWatch("anna-hub", "pymca-1").reference

    references = [await asyncio.ensure_future(launch()), current_reference()]
    assert references[0] == references[1]
    assert len(references[0]) == 8


async def test_requests_do_not_share_references() -> None:
    outside = current_reference()

    async def request() -> tuple[str, str]:
        open_slot()
        before = current_reference()
        own = await asyncio.ensure_future(_launched())
        await asyncio.sleep(0)
        assert current_reference() == own
        return before, own

    async def _launched() -> str:
        return LaunchWatch("anna-hub", "pymca-1").reference

    answers = await asyncio.gather(*(request() for _ in range(5)))
    assert {before for before, _ in answers} == {""}
    assert len({own for _, own in answers}) == 5
    assert current_reference() == outside
