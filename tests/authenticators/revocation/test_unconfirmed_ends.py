"""A session that loses its right and whose end is not confirmed: its route is closed, and it is counted until it is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import OperationalError

from daas_hub.authenticators.revocation import logins
from daas_hub.authenticators.revocation.logins import stop_sessions
from daas_hub.authenticators.revocation.unconfirmed_ends import UNCONFIRMED_ENDS
from daas_hub.metrics import revocation


@pytest.fixture(autouse=True)
def nothing_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "STOP_TIMEOUT_S", 0.1)
    monkeypatch.setattr(UNCONFIRMED_ENDS, "_ends", {})
    monkeypatch.setattr(revocation, "_unconfirmed", {"rights": UNCONFIRMED_ENDS.names})


def counted() -> float | None:
    return REGISTRY.get_sample_value("daas_unconfirmed_ends")


NO_TOKENS = SimpleNamespace(filter_by=lambda **_: [])


class Hub:
    """A hub's proxy and its user anna in one, with sessions that end in different ways."""

    name = "anna"
    db = SimpleNamespace(commit=lambda: None, rollback=lambda: None, query=lambda _: NO_TOKENS)

    def __init__(self, *names: str, route_stays: bool = False, slow_fails: bool = False) -> None:
        self.spawners = {
            name: SimpleNamespace(
                active=True,
                pending=None,
                stop_wanted=False,
                ending="",
                _log_name=f"anna:{name}",
                oauth_client_id=f"jupyterhub-user-anna-{name}",
                orm_spawner=SimpleNamespace(state={}),
            )
            for name in names
        }
        for one in self.spawners.values():
            one.get_state = lambda one=one: {"ending": one.ending}
        self.route_stays, self.slow_fails = route_stays, slow_fails
        self.done: list[str] = []
        self.answer = asyncio.Event()

    async def delete_user(self, user: Any, name: str) -> None:
        assert user is self
        if self.route_stays:
            raise ConnectionError("the proxy is gone")
        self.done.append(f"route of {name}")

    async def stop(self, name: str) -> None:
        """Stop one as the hub does, which forgets it whatever comes."""
        spawner = self.spawners[name]
        self.done.append(f"stop of {name}")
        if name == "slow":
            await self.answer.wait()
        spawner.stop_wanted = name in ("recorded", "refused")
        self.spawners.pop(name)
        if name in ("refused", "forgotten") or self.slow_fails:
            raise RuntimeError("the backend does not answer")

    async def answered(self) -> None:
        """Let the backend answer, and wait until what waits for it is done."""
        self.answer.set()
        if waiting := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(waiting, timeout=30)


async def test_a_confirmed_end_is_not_counted() -> None:
    hub = Hub("good")
    assert await stop_sessions(hub, hub, ["good"], why="You are no longer a member.") == []
    assert hub.done == ["route of good", "stop of good"]
    assert counted() == 0


@pytest.mark.parametrize("name", ["slow", "recorded", "refused", "forgotten"])
async def test_an_end_that_is_not_confirmed_closes_the_route_and_is_counted(name: str) -> None:
    hub = Hub("good", name)
    spawner = hub.spawners[name]
    assert await stop_sessions(hub, hub, ["good", name], why="You are no longer a member.") == [name]
    assert spawner.orm_spawner.state == {"ending": "You are no longer a member."}, "its card says so after a restart"
    assert hub.done.index(f"route of {name}") < hub.done.index(f"stop of {name}")
    assert counted() == 1
    # the backend answers: the reconciler removes the record, or the stop returns
    spawner.stop_wanted = False
    await hub.answered()
    assert counted() == (1 if name == "forgotten" else 0), "without a record, nothing confirms the end"


async def test_a_slow_stop_that_fails_later_stays_counted() -> None:
    hub = Hub("slow", slow_fails=True)
    assert await stop_sessions(hub, hub, ["slow"]) == ["slow"]
    await hub.answered()
    assert counted() == 1


async def test_a_proxy_that_does_not_answer_keeps_no_session(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub("recorded", route_stays=True)
    assert await stop_sessions(hub, hub, ["recorded"]) == ["recorded"]
    assert hub.done == ["stop of recorded"]
    assert "its route is still there" in caplog.text
    assert counted() == 1


async def test_a_session_is_stopped_although_the_database_is_away(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub("good")

    def commit() -> None:
        raise OperationalError("UPDATE", {}, Exception("gone"))

    hub.db = SimpleNamespace(commit=commit, rollback=lambda: None, query=lambda _: NO_TOKENS)
    assert await stop_sessions(hub, hub, ["good"], why="You are no longer a member.") == []
    assert hub.done == ["route of good", "stop of good"]
    assert "why it ends could not be stored: OperationalError" in caplog.text
