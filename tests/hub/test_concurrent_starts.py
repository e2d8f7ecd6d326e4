"""Sessions that start one after the other: what those that wait report, and one that hangs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live_portal import Person, Portal, free_ports, new_state, plain_text, remove, start_portal
from tests.places import kill_rest
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

#: A session's server that waits for a file.
PROGRAM = """
import os, time
while not os.path.exists(os.path.join(os.path.dirname(__file__), "go")):
    time.sleep(0.05)
from daas_hub.session.start import main
raise SystemExit(main([]))
"""
CONFIG = """
import daas_hub.portal.launches
import daas_hub.spawners.concurrent_starts
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

# at once, on the page that shows the steps
daas_hub.portal.launches.PROGRESS_PAGE_AFTER_S = 0.1
daas_hub.spawners.concurrent_starts.ConcurrentStarts.__init__.__defaults__ = ({max_turn_s},)
SandboxSpawner.session_program = staticmethod(lambda plan: {program!r})
c.SandboxSpawner.read_only = [{tools!r}]
c.SandboxSpawner.concurrent_starts = 1
c.Facility.sessions_per_person = 10
"""


def portal_with(max_turn_s: float) -> Portal:
    state = new_state()
    tools = state / "tools"
    tools.mkdir(mode=0o755)
    (tools / "waits").write_text(PROGRAM)
    config = CONFIG.format(max_turn_s=max_turn_s, program=str(tools / "waits"), tools=str(tools))
    return start_portal(state=state, port=free_ports(4), more_config=config)


@pytest.fixture
def portal(sandbox_works: None, request: pytest.FixtureRequest) -> Iterator[Portal]:
    """A portal whose sessions wait for a file, whose turns end after the seconds of the parameter."""
    running = portal_with(request.param)
    yield running
    running.stop()
    kill_rest(running)
    remove(running)


def launch(person: Person, name: str) -> str:
    """Launch; return the session's name."""
    fields = {"application": "terminal", "proposal": "MA-4242", "visit": "2", "session_name": name}
    answer = person.post("/hub/launch", fields, allow_redirects=False)
    assert answer.status_code == 303, plain_text(answer)
    return name


def is_ready(person: Person, name: str) -> bool:
    servers = person.get(f"/hub/api/users/{person.name}").json()["servers"]
    return bool(servers.get(name, {}).get("ready"))


def page_of(person: Person, name: str) -> str:
    return plain_text(person.get(f"/hub/sessions/{name}", allow_redirects=False))


@pytest.mark.parametrize("portal", [3600.0], indirect=True)
def test_starts_wait_for_those_before_them_and_are_told(portal: Portal) -> None:
    anna = portal.login("anna")
    first, second, third = (launch(anna, f"terminal-000{number}") for number in (1, 2, 3))
    wait_for(lambda: "2 sessions start before yours" in page_of(anna, third), timeout_s=60)
    assert "one session starts before yours" in page_of(anna, second)
    assert "before yours" not in page_of(anna, first)
    # whoever stops a session that waits lets the others come earlier
    anna.stop(second)
    wait_for(lambda: "one session starts before yours" in page_of(anna, third), timeout_s=60)
    assert "Opening your directories" not in page_of(anna, third)
    (portal.state / "tools" / "go").touch()
    wait_for(lambda: is_ready(anna, first), timeout_s=60)
    wait_for(lambda: is_ready(anna, third), timeout_s=60)
    assert not is_ready(anna, second)


@pytest.mark.parametrize("portal", [1.0], indirect=True)
def test_a_session_that_does_not_respond_holds_nobody_up(portal: Portal) -> None:
    anna = portal.login("anna")
    first, second = (launch(anna, f"terminal-000{number}") for number in (1, 2))
    wait_for(lambda: "Opening your directories" in page_of(anna, second), timeout_s=60)
    assert not is_ready(anna, first)
    (portal.state / "tools" / "go").touch()
    wait_for(lambda: is_ready(anna, first) and is_ready(anna, second), timeout_s=60)
