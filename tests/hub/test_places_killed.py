"""A hub with places that is killed in the middle of a start: what is left belongs to its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kill_points import SANDBOX
from tests.killed_starts import Mortal, mortal_config, require_nothing_unknown
from tests.live_portal import Portal, new_state, remove, start_portal
from tests.places import TWO, config_of, kill_rest, sandboxes

pytestmark = pytest.mark.sandbox

FIELDS = {"application": "terminal", "proposal": "MA-4242", "visit": "2", "place": "large"}


@pytest.fixture(scope="module")
def mortal(sandbox_works: None) -> Iterator[Mortal]:
    """A portal with two places that is killed at a chosen point of a start in the second one."""
    state = new_state()
    config = config_of(TWO, more=mortal_config(state / "kill-at", "SandboxSpawner", "SANDBOX"))

    def start(portal: Portal | None) -> Portal:
        return start_portal(state=state, port=portal.port if portal else 0, more_config=config)

    portal = start(None)
    yield Mortal(portal, start, lambda: sandboxes(portal, "large"), "run/places/large")
    portal.stop()
    kill_rest(portal)
    remove(portal)


@pytest.mark.parametrize("number", [0, 2, 5, len(SANDBOX) - 6, len(SANDBOX) - 3, len(SANDBOX) - 1])
def test_killed_start_leaves_nothing_unknown(mortal: Mortal, number: int) -> None:
    """Before anything was stored, with a record on disk alone, and with a session that runs."""
    anna = mortal.portal.login("anna")
    mortal.kill_at(anna, SANDBOX[number], FIELDS)
    mortal.restart()
    require_nothing_unknown(mortal, mortal.portal.login("anna"), SANDBOX[number])
    assert sandboxes(mortal.portal, "here") == []
