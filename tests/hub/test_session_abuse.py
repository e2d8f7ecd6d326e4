"""A session does its worst to the hub's API: pages of others answer, and it can be stopped (D2, G1, K5).

No times are measured here; `make bench-abuse` measures them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live_portal import Person, Portal, new_state, remove, start_portal
from tests.sandbox.probe import probing
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

ABUSE = (Path(__file__).parents[1] / "sandbox" / "abuse.py").read_text()
WAYS = ["headers", "bodies", "tokens", "flood", "log"]
PROBE = """\
name: probe
title: Probe
kind: desktop
command: [sh, -c, 'sh "$HOME/probe.sh" > /dev/null 2>&1']
"""
#: Bounds of what one session may cost: memory and log of the hub, its descriptors, and requests that it logs.
MAX_BYTES, MAX_LOG_BYTES, MAX_DESCRIPTORS, MAX_REQUESTS = 50_000_000, 1_000_000, 100, 100


@dataclass
class Hub:
    """What the hub's process holds."""

    portal: Portal

    def bytes(self) -> int:
        status = Path(f"/proc/{self.portal.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.portal.process.pid}/fd").iterdir()))

    def log_bytes(self) -> int:
        return self.portal.log.stat().st_size

    def requests_of_sessions(self) -> int:
        """Count the lines about requests that came over a session's socket, which has no address."""
        lines = self.portal.log.read_text(errors="replace").splitlines()
        return sum("/hub/api/user (" in line and ("@0.0.0.0)" in line or "@session " in line) for line in lines)


@pytest.fixture(scope="module")
def abused(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal of its own, in which carla is an administrator."""
    applications = Path(tmp_path_factory.mktemp("applications"))
    (applications / "probe.yaml").write_text(PROBE)
    running = start_portal(applications, state=new_state(), more_config='c.RoleRules.admin_groups = ["staff-id21"]\n')
    yield running
    running.stop()
    remove(running)


def token_of(person: Person) -> str:
    """Return a token of a person's own, as of the token page."""
    return str(person.api("POST", f"users/{person.name}/tokens", {"expires_in": 600}).json()["token"])


@pytest.mark.parametrize("way", WAYS)
def test_others_are_served_and_it_can_be_stopped(abused: Portal, way: str) -> None:
    hub, ben = Hub(abused), abused.login("ben")
    anna = abused.login("anna")
    started = abused.state / "homes" / "anna" / "abuse.started"
    started.unlink(missing_ok=True)
    assert ben.get("/hub/home").status_code == 200
    script = (
        f"cat > $HOME/abuse.py <<'END'\n{ABUSE}\nEND\nexec /usr/bin/python3 $HOME/abuse.py {way} {token_of(anna)}\n"
    )
    with probing(anna, "anna", script) as probe:
        before = hub.bytes(), hub.descriptors(), hub.log_bytes(), hub.requests_of_sessions()
        began = time.monotonic()
        wait_for(started.exists, "the session's program did not start", timeout_s=60)
        for _ in range(50):
            assert ben.get("/hub/home").status_code == 200
            assert ben.get("/hub/api/user").status_code == 200
        # somebody new gets in
        assert abused.login("ben").get("/hub/home").status_code == 200
        assert hub.bytes() - before[0] < MAX_BYTES
        assert hub.descriptors() - before[1] < MAX_DESCRIPTORS
        assert hub.log_bytes() - before[2] < MAX_LOG_BYTES
        # one a second, and some at once
        assert hub.requests_of_sessions() - before[3] < MAX_REQUESTS + time.monotonic() - began
        administrator = abused.login("carla")
        assert anna.stop(probe.session).status_code == 303
        wait_for(lambda: probe.session not in anna.get(f"/hub/api/users/{anna.name}").json()["servers"], "its end")
        # and another one that does the same, by an administrator
        started.unlink()
        second = anna.launch("probe", proposal="MA-4242", visit="2")
        wait_for(started.exists, "the session's program did not start", timeout_s=60)
        assert administrator.api("DELETE", f"users/{anna.name}/servers/{second}").status_code in (202, 204)
