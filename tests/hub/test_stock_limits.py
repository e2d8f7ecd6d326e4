"""JupyterHub's own limits in a running portal: a launch is refused in words, or waits where launches wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live_portal import plain_text
from tests.queue_portal import press, state_of, with_limits
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

#: Sessions named "slow" start once a file is there.
SLOW = """
import asyncio
from pathlib import Path

async def wait(spawner):
    while spawner.name == "slow" and not Path({go!r}).exists():
        await asyncio.sleep(0.1)

c.Spawner.pre_spawn_hook = wait
"""


def test_a_start_above_the_limit_of_concurrent_ones_is_refused(sandbox_works: None, tmp_path: Path) -> None:
    go = tmp_path / "go"
    limits = "c.Queue.enabled = False\nc.JupyterHub.concurrent_spawn_limit = 1\n"
    with with_limits(limits + SLOW.format(go=str(go))) as portal:
        anna, ben = portal.sign_in("anna"), portal.sign_in("ben")
        press(anna, "slow")
        refused = ben.post("/hub/launch", {"application": "terminal", "session_name": "one"})
        assert refused.status_code == 403, plain_text(refused)
        assert "Too many users trying to log in right now" in plain_text(refused)
        assert state_of(ben) == ""
        go.touch()
        anna.wait_ready("slow")
        press(ben)
        ben.wait_ready("one")


def test_a_launch_that_waits_keeps_to_the_limit_of_concurrent_ones(sandbox_works: None, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with with_limits("c.JupyterHub.concurrent_spawn_limit = 1\n" + SLOW.format(go=str(go))) as portal:
        anna, ben = portal.sign_in("anna"), portal.sign_in("ben")
        press(anna, "slow")
        wait_for(lambda: state_of(anna, "slow") == "starting", "the first start")
        press(ben)
        assert state_of(ben) == "waiting"
        go.touch()
        anna.wait_ready("slow")
        ben.wait_ready("one")


def test_a_start_above_the_limit_of_servers_is_refused(sandbox_works: None) -> None:
    with with_limits("c.Queue.enabled = False\nc.JupyterHub.active_server_limit = 1\n") as portal:
        anna, ben = portal.sign_in("anna"), portal.sign_in("ben")
        press(anna)
        anna.wait_ready("one")
        refused = ben.post("/hub/launch", {"application": "terminal", "session_name": "one"})
        assert refused.status_code == 403, plain_text(refused)
        assert "Active user limit exceeded. Try again in a few minutes." in plain_text(refused)
        anna.stop("one")
        press(ben)
        ben.wait_ready("one")
