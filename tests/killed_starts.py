"""Kills a portal's hub at points of a start, and checks what is left once it runs again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.kill_points import point_id
from tests.live_portal import Person, Portal, plain_text

#: Kills at each point, and how many starts are under way at each; `make test-kills` sets both.
REPEATS = int(os.environ.get("DAAS_KILL_REPEATS", "1"))
STARTS = int(os.environ.get("DAAS_KILL_STARTS", "1"))

#: The interval at which these portals reconcile, so that no test waits for a minute.
INTERVAL_S = 0.5
ROOT = Path(__file__).parents[1]


def mortal_config(switch: Path, spawner: str, points: str) -> str:
    """Return lines of configuration for a hub that dies at the point that `switch` names.

    Args:
        points: the name of a tuple of `tests.kill_points`.
    """
    return (
        f"import sys; sys.path.append({str(ROOT)!r})\n"
        "from pathlib import Path\nfrom tests import kill_points\n"
        f"kill_points.arm(Path({str(switch)!r}), kill_points.{points})\n"
        f"c.{spawner}.reconcile_interval_s = {INTERVAL_S}\n"
        f"c.{spawner}.orphan_grace_s = 3600\n"
    )


@dataclass
class Mortal:
    """A portal that is killed and started again.

    Attributes:
        start: starts its hub again, with the same state and port.
        running: returns the names of the sessions the backend has, whatever the hub says.
        runtime_dir: that of the backend, below the state.
    """

    portal: Portal
    start: Callable[[Portal], Portal]
    running: Callable[[], list[str]]
    runtime_dir: str = "run"

    @property
    def switch(self) -> Path:
        return self.portal.state / "kill-at"

    def kill_at(self, person: Person, point: tuple[str, str], fields: dict[str, str], starts: int = 1) -> None:
        """Launch, and wait until the hub died there.

        Args:
            starts: launch this many at once; the first one that gets there kills the hub, the others are anywhere.
        """

        def launch(_: int) -> None:
            with contextlib.suppress(requests.RequestException):
                person.post("/hub/launch", fields, timeout=20)

        self.switch.write_text(point_id(point))
        with ThreadPoolExecutor(starts) as threads:
            list(threads.map(launch, range(starts)))
        self.wait_until_killed()

    def wait_until_killed(self) -> None:
        """Wait until the hub died at the point that the switch names."""
        until = time.monotonic() + 30
        while self.portal.process.poll() is None:
            assert time.monotonic() < until, f"{self.switch.read_text()}: the hub did not get there"
            time.sleep(0.05)
        assert self.portal.process.returncode == -signal.SIGKILL

    def restart(self) -> None:
        """Start the hub again and wait until it has compared its sessions twice."""
        began = time.time()
        self.portal.process = self.start(self.portal).process
        first = self.reconciled_after(began)
        self.reconciled_after(first)

    def reconciled_after(self, moment: float) -> float:
        """Wait for a round that began after this moment; return when it began."""
        report = self.portal.state / self.runtime_dir / "reconciliation.json"
        until = time.monotonic() + 30
        while True:
            assert time.monotonic() < until, "no round of the reconciler"
            with contextlib.suppress(OSError, ValueError):
                at = float(json.loads(report.read_text())["at"])
                if at > moment:
                    return at
            time.sleep(0.1)

    def kill_rest(self) -> None:
        """End what a killed hub leaves: its proxy and the demo's identity provider."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                ours = (
                    f"daas_hub.demo.identity_provider {self.portal.port + 1}",
                    f"--api-port {self.portal.port + 3}",
                )
                if any(one in line for one in ours):
                    os.kill(int(entry.name), signal.SIGKILL)


def require_nothing_unknown(mortal: Mortal, person: Person, point: tuple[str, str]) -> None:
    """Check that what runs is what the hub shows: no orphan, no double, no card without a session."""
    servers = person.get(f"/hub/api/users/{person.name}").json()["servers"]
    ready = [name for name, server in servers.items() if server["ready"]]
    running = mortal.running()
    folders = [one.name for one in (mortal.portal.state / mortal.runtime_dir / "sessions").glob("*")]
    home = plain_text(person.get("/hub/home"))
    what = f"{point_id(point)}: hub {servers}, backend {running}, folders {folders}; {home}"
    assert len(running) == len(set(running)) == len(ready), what
    assert len(folders) == len(ready), what
    assert len(servers) == len(ready), what
    for name in ready:
        assert person.get(f"/user/{person.name}/{name}/status").json()["state"] == "running", what
    assert "Running" in home if ready else "Running" not in home, what
    for name in re.findall(r"/hub/sessions/([^/\"]+)/stop", person.get("/hub/home").text):
        assert person.stop(name).status_code == 303
    until = time.monotonic() + 30
    while mortal.running():
        assert time.monotonic() < until, f"{what}: not ended by Stop"
        time.sleep(0.1)
