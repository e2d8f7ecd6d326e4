"""Settings of JupyterHub that end things: its idle culler, as its own page configures it, and the limit of failures."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import ABSENT
from tests.live_portal import Person, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

CONFIG = """
import sys
c.JupyterHub.load_roles = [{
    "name": "jupyterhub-idle-culler-role",
    "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    "services": ["jupyterhub-idle-culler-service"],
}]
c.JupyterHub.services = [*c.JupyterHub.services, {
    "name": "jupyterhub-idle-culler-service",
    "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=15", "--cull-every=1"],
}]
c.Spawner.consecutive_failure_limit = 1
"""


def test_an_idle_session_is_culled(sandbox_works: None, tmp_path: Path) -> None:
    (tmp_path / "absent.yaml").write_text(ABSENT)
    portal = start_portal(tmp_path, more_config=CONFIG)
    try:
        anna = portal.login("anna")
        name = anna.launch("terminal")
        assert anna.get(f"/user/{anna.name}/{name}/").status_code == 200
        until = time.monotonic() + 60
        while anna.get(f"/hub/api/users/{anna.name}").json()["servers"].get(name, {}).get("ready"):
            assert time.monotonic() < until, portal.log.read_text()[-3000:]
            time.sleep(0.5)
        said = portal.log.read_text()
        assert f"Culling server {anna.name}/{name}" in said
        assert "Traceback" not in said
        assert "[E " not in said
        # it is over for its owner as any other end, and the same can be launched again
        assert anna.get("/hub/home").status_code == 200
        assert "Running" not in plain_text(anna.get("/hub/home"))
        again = anna.launch("terminal")
        assert again != name
        _fail_to_launch(anna)
    finally:
        portal.stop()
        remove(portal)


def _fail_to_launch(anna: Person) -> None:
    """A launch that is refused, or fails with a reason, is no failure of the hub: it does not count, and it stays."""
    path = f"users/{anna.name}/servers/refused"
    assert anna.api("POST", path, {"application": "no-such-application"}).status_code == 403
    assert anna.api("POST", path, {"application": "absent"}).status_code in (201, 202, 500)
    until = time.monotonic() + 30
    while "is not installed here" not in plain_text(anna.get("/hub/sessions/refused")):
        assert time.monotonic() < until, plain_text(anna.get("/hub/sessions/refused"))
        time.sleep(0.5)
    # it would exit two seconds later
    time.sleep(3)
    assert anna.get("/hub/home").status_code == 200
    assert anna.portal.process.poll() is None
