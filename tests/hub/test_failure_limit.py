"""JupyterHub's limit of consecutive failures: errors of the hub end it, and refusals do not count.

With pods such a hub does not start.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.live_portal import Person, new_state, start_portal
from tests.queue_portal import QueuePortal, press, with_limits
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

#: Sessions named "full..." find no room at their backend; those named "broken..." meet an error that nobody expected.
CONFIG = """
from daas_hub.errors import NoCapacity
from daas_hub.spawners.sandbox import SandboxSpawner

class NarrowSpawner(SandboxSpawner):
    async def start_session(self, plan):
        if self.name.startswith("full"):
            raise NoCapacity("The backend has no room.")
        if self.name.startswith("broken"):
            raise RuntimeError(f"an error in {self.name}")
        return await super().start_session(plan)

c.JupyterHub.spawner_class = NarrowSpawner
c.Spawner.consecutive_failure_limit = 2
c.Queue.enabled = False
c.Quotas.person = {"sessions": 1}
"""
ABORTS = "Aborting due to 2 consecutive spawn failures"


@pytest.fixture
def hub(sandbox_works: None) -> Iterator[QueuePortal]:
    with with_limits(CONFIG) as found:
        yield found


def _fail(hub: QueuePortal, person: Person, session: str) -> None:
    """Let a start meet an error of the hub."""
    press(person, session)
    assert hub.portal.wait_for_log(f"Unhandled error starting {person.name}'s server: an error in {session}")


def test_the_second_failure_in_a_row_ends_the_hub(hub: QueuePortal) -> None:
    """A start that succeeds in between begins the count anew, and no refusal, of whatever kind, adds to it."""
    anna, ben = hub.sign_in("anna"), hub.sign_in("ben")
    _fail(hub, ben, "broken-1")
    press(anna)
    anna.wait_ready("one")
    for number in (1, 2):
        assert "You are using 1 of 1 sessions" in press(anna, f"quota-{number}")
        assert "not in the group of proposal" in press(ben, f"right-{number}", proposal="MA-4242", visit="1")
        assert "The backend has no room." in press(ben, f"full-{number}")
    _fail(hub, ben, "broken-2")
    # JupyterHub ends two seconds after it decided to, and logs that at once
    assert ABORTS not in hub.portal.log.read_text()
    assert anna.get("/hub/home").status_code == 200
    _fail(hub, ben, "broken-3")
    wait_for(lambda: hub.portal.process.poll() is not None, "the hub ends")
    assert hub.portal.process.returncode == 1
    assert ABORTS in hub.portal.log.read_text()


def test_a_hub_with_pods_and_a_limit_does_not_start(sandbox_works: None) -> None:
    state = new_state()
    config = 'c.JupyterHub.spawner_class = "proposal-kubernetes"\nc.Spawner.consecutive_failure_limit = 2\n'
    words = r"consecutive_failure_limit = 2: would end the hub after refusals of the cluster\. Remove the line\."
    try:
        with pytest.raises(AssertionError, match=words):
            start_portal(state=state, more_config=config)
    finally:
        shutil.rmtree(state, ignore_errors=True)
