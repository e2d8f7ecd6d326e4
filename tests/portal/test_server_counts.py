"""Counts of active servers: asked for rarely, and never where a limit depends on them."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.metrics import RUNNING_SERVERS
from jupyterhub.user import UserDict

from daas_hub.portal.server_counts import COUNT_EVERY_S, RecentCounts, count_rarely


@pytest.fixture(autouse=True)
def gauge() -> Iterator[None]:
    """Leave the hub's gauge as it was."""
    before = RUNNING_SERVERS.collect()[0].samples[0].value
    yield
    RUNNING_SERVERS.set(before)


class Counting:
    """A count that takes note of its calls, and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.calls = 0
        self.counts = {"active": 7, "pending": 2, "spawn_pending": 2}

    def count(self) -> dict[str, int]:
        self.calls += 1
        return self.counts


def start(counts: RecentCounts) -> dict[str, int]:
    """Do what JupyterHub does when a server starts."""
    found = counts()
    assert found["proxy_pending"] == 0
    RUNNING_SERVERS.set(found["active"])
    return found


def test_counted_once_in_a_while() -> None:
    scene = Counting()
    counts = RecentCounts(scene.count, clock=lambda: scene.now)
    for _ in range(100):
        start(counts)
    assert scene.calls == 1
    scene.now += COUNT_EVERY_S
    start(counts)
    assert scene.calls == 2


def test_the_gauge_is_right_between_two_counts_and_corrected_by_the_next() -> None:
    scene = Counting()
    counts = RecentCounts(scene.count, clock=lambda: scene.now)
    assert start(counts)["active"] == 7
    RUNNING_SERVERS.inc()
    RUNNING_SERVERS.inc()
    RUNNING_SERVERS.dec()
    assert start(counts) == {"active": 8, "pending": 2, "spawn_pending": 2, "proxy_pending": 0}
    # JupyterHub counts a start down that failed, and had never been counted up
    RUNNING_SERVERS.dec()
    RUNNING_SERVERS.dec()
    scene.counts = {"active": 8}
    scene.now += COUNT_EVERY_S
    assert start(counts)["active"] == 8
    assert RUNNING_SERVERS.collect()[0].samples[0].value == 8


def hub(**limits: int) -> Any:
    return SimpleNamespace(
        users=UserDict(lambda: None, {}), **{"concurrent_spawn_limit": 0, "active_server_limit": 0} | limits
    )


@pytest.mark.parametrize("limit", ["concurrent_spawn_limit", "active_server_limit"])
def test_a_hub_with_a_limit_counts_at_every_start(limit: str) -> None:
    app = hub(**{limit: 1})
    count_rarely(app)
    assert app.users.count_active_users.__func__ is UserDict.count_active_users


def test_a_hub_without_limits_does_not() -> None:
    app = hub()
    count_rarely(app)
    assert isinstance(app.users.count_active_users, RecentCounts)
    assert app.users.count_active_users() == {}
