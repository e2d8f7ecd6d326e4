"""JupyterHub's idle culler, as its own page configures it, ends an idle session of ours, and nothing else."""

from __future__ import annotations

import time

import pytest

from tests.live_portal import plain_text, remove, start_portal

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
    "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=8", "--cull-every=1"],
}]
"""


def test_an_idle_session_is_culled(sandbox_works: None) -> None:
    portal = start_portal(more_config=CONFIG)
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
    finally:
        portal.stop()
        remove(portal)
