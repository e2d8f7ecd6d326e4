"""Hooks of an administrator that fail: a message for the owner, the reason in the log, no pod, the hub continues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place, servers, signed_in
from tests.live_portal import WITHOUT_PROGRESS_PAGE, Person, plain_text
from tests.waiting import within

CONFIG = """
import os as _os
from pathlib import Path as _Path

def _fail(name):
    if _Path(_os.environ["DAAS_DEMO_STATE"], name).exists():
        raise RuntimeError("detail of the facility")

class _Closed(Exception):
    jupyterhub_message = "Closed for the shutdown of the ring."

def _before(spawner):
    if _Path(_os.environ["DAAS_DEMO_STATE"], "refuse").exists():
        raise _Closed()
    _fail("pre_spawn_hook")

def _modify(spawner, pod):
    _fail("modify_pod_hook")
    return pod

c.KubeSpawner.modify_pod_hook = _modify
c.KubeSpawner.after_pod_created_hook = lambda spawner, pod: _fail("after_pod_created_hook")
c.KubeSpawner.pre_spawn_hook = _before
async def _after(spawner):
    _fail("post_stop_hook")

c.KubeSpawner.post_stop_hook = _after
c.KubeSpawner.auth_state_hook = lambda spawner, auth_state: _fail("auth_state_hook")
"""


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    with running_place(api, api.new_namespace(), more_config=CONFIG + WITHOUT_PROGRESS_PAGE) as running:
        yield running


@pytest.fixture
def anna(place: Place) -> Iterator[Person]:
    with signed_in(place) as person:
        yield person


@pytest.mark.parametrize("hook", ["auth_state_hook", "pre_spawn_hook", "modify_pod_hook", "after_pod_created_hook"])
def test_a_hook_that_fails_ends_the_start_in_words(place: Place, anna: Person, hook: str) -> None:
    flag = place.portal.state / hook
    flag.touch()
    try:
        words = plain_text(anna.post("/hub/launch", {"application": "terminal", "proposal": "", "visit": ""}))
        assert "The portal is misconfigured. Please tell the administrators." in words
        assert "Something went wrong" not in words
        assert "detail of the facility" not in words
        assert "detail of the facility" in place.portal.log.read_text()
        assert f"{hook} failed" in place.portal.log.read_text()
        within(30, lambda: not place.pods())
    finally:
        flag.unlink()
    anna.stop(anna.launch("terminal"))


def test_a_hook_that_fails_after_a_stop_keeps_no_pod(place: Place, anna: Person) -> None:
    name = anna.launch("terminal")
    flag = place.portal.state / "post_stop_hook"
    flag.touch()
    try:
        anna.stop(name)
        within(30, lambda: not place.pods())
        within(30, lambda: name not in servers(anna))
    finally:
        flag.unlink()
    anna.stop(anna.launch("terminal"))


def test_a_hook_may_refuse_in_its_own_words(place: Place, anna: Person) -> None:
    """As JupyterHub's documentation shows it: an exception with a message for the person."""
    flag = place.portal.state / "refuse"
    flag.touch()
    try:
        words = plain_text(anna.post("/hub/launch", {"application": "terminal", "proposal": "", "visit": ""}))
        assert "Closed for the shutdown of the ring" in words
    finally:
        flag.unlink()
