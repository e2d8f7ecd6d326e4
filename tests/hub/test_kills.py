"""A hub that is killed at any point of a start leaves nothing that nobody knows (section "Truth is the backend")."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.spawners.sandbox.processes import marked_processes
from tests.kill_points import SANDBOX
from tests.killed_starts import REPEATS, STARTS, Mortal, mortal_config, require_nothing_unknown
from tests.live_portal import Portal, new_state, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

FIELDS = {"application": "terminal", "proposal": "MA-4242", "visit": "2"}


def sandboxes(portal: Portal) -> list[str]:
    """Return the sandboxes of a portal, by their folders' names."""
    return list(marked_processes(Path(portal.state / "run" / "sessions")))


@pytest.fixture(scope="module")
def mortal(sandbox_works: None) -> Iterator[Mortal]:
    """A portal that is killed at a chosen point."""
    state = new_state()
    config = mortal_config(state / "kill-at", "SandboxSpawner", "SANDBOX")

    def start(portal: Portal | None) -> Portal:
        return start_portal(state=state, port=portal.port if portal else 0, more_config=config)

    portal = start(None)
    mortal = Mortal(portal, start, lambda: sandboxes(portal))
    try:
        yield mortal
    finally:
        portal.stop()
        mortal.kill_rest()
        remove(portal)


@pytest.mark.parametrize("point", SANDBOX, ids=lambda point: f"{point[1]} {point[0].rpartition(':')[2]}")
def test_killed_start_leaves_nothing_unknown(mortal: Mortal, point: tuple[str, str]) -> None:
    for _ in range(REPEATS):
        anna = mortal.portal.login("anna")
        mortal.kill_at(anna, point, FIELDS, STARTS)
        mortal.restart()
        require_nothing_unknown(mortal, mortal.portal.login("anna"), point)


def test_interrupted_start_says_so_on_its_page(mortal: Mortal) -> None:
    """Not "Ended", with what an earlier session of this name left."""
    anna = mortal.portal.login("anna")
    name = "terminal-interrupted"
    mortal.kill_at(anna, SANDBOX[7], FIELDS | {"session_name": name})
    mortal.restart()
    anna = mortal.portal.login("anna")
    page = plain_text(anna.get(f"/hub/sessions/{name}"))
    assert "The portal was restarted while this session was starting." in page
    assert "Did not start" in plain_text(anna.get("/hub/home"))
    assert anna.stop(name).status_code == 303
    assert "No sessions." in plain_text(anna.get("/hub/home"))
