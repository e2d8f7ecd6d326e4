"""A session whose place is not configured: its state is kept, and the hub cannot forget it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from traitlets.config import Config

from daas_hub.errors import SessionFailed
from daas_hub.spawners.places.spawner import PlacesSpawner

STATE = {"place": "gone", "ends": 2e9, "backend": {"start": "1f", "process": {"pid": 1}}}


def spawner(state: dict[str, Any], *, running: bool = True, retired: list[str] | None = None) -> PlacesSpawner:
    """Return the spawner of a session with this state in the database."""
    places = {"here": {"spawner": "sandbox", "settings": {"runtime_dir": "/nowhere"}}}
    server = (
        orm.Server(proto="http", ip="127.0.0.1", port=9, base_url="/user/anna/x/", cookie_name="x") if running else None
    )
    row = SimpleNamespace(name="x", server=server, state=state)
    made = PlacesSpawner(config=Config(Places={"places": places, "retired": retired or []}))
    made.orm_spawner = row
    made.load_state(state)
    return made


async def test_unknown_is_not_gone() -> None:
    made = spawner(STATE)
    assert (made.is_unknown, made.inner, made.place) == (True, None, "gone")
    assert await made.poll() is None
    with pytest.raises(SessionFailed, match="It was started in the place gone, which is not configured now"):
        await made.stop()
    # what the hub does after a stop that failed
    made.server = None
    made.clear_state()
    assert made.get_state() == STATE
    assert made.is_unknown
    assert made.server is not None


async def test_the_hub_does_not_wait_for_it_and_end_it() -> None:
    """A hub that starts ends the sessions that do not answer; nothing listens at this address."""
    answer = await spawner(STATE).server.wait_up(timeout=60, http=True, extra_path="api")
    assert answer.code == 200


@pytest.mark.parametrize(
    ("state", "more"),
    [
        pytest.param(STATE, {"running": False}, id="ended before"),
        pytest.param(STATE, {"retired": ["gone"]}, id="retired"),
        pytest.param({}, {}, id="interrupted before anything was stored"),
    ],
)
async def test_what_has_ended(state: dict[str, Any], more: dict[str, Any]) -> None:
    made = spawner(state, **more)
    assert not made.is_unknown
    assert await made.poll() == 0


async def test_state_of_another_place_is_not_loaded() -> None:
    """Each loads its own, whatever else the state has; a broken one loads nothing."""
    made = spawner({"place": "here", "backend": {"start": "1f"}})
    assert (made.place, made.inner.start_id) == ("here", "1f")
    assert spawner({"place": "here", "start": "2e", "backend": None}).inner.start_id == ""
    assert spawner({"place": "there", "backend": {"start": "1f"}}).inner is None
    assert spawner({"start": "1f"}).inner is None


def test_state_of_a_single_spawner_has_no_place_of_ours() -> None:
    """A hub with the spawner of a cluster wrote the name of a place, too, until it had several."""
    made = spawner({"place": "here", "gateway": "5a", "start": "1f"})
    assert (made.place, made.inner) == ("", None)
    assert made.is_unknown
