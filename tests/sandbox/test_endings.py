"""What the card of an ended sandbox says."""

from __future__ import annotations

import pytest

from tests.docker.scenes import home_text
from tests.live_portal import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox


def test_session_whose_hours_are_over_ends_and_says_so(portal: Portal) -> None:
    anna = portal.login("anna")
    name = anna.launch("brief", proposal="MA-4242", visit="2")
    wait_for(lambda: "Ended" in home_text(anna), "the end", 40)
    assert "It reached its time limit." in home_text(anna)
    assert anna.stop(name).status_code == 303
