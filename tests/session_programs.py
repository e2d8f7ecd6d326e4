"""A portal whose sessions run what a test chooses: a slow server, one that dies, and one that never responds."""

from __future__ import annotations

from collections.abc import Iterator

from tests.live_portal import Portal, free_ports, new_state, remove, start_portal
from tests.places import kill_rest

#: What a session runs instead of its server. The slow one waits for a file; the dying one takes two connections, those
#: of the hub's check and of a browser, and ends.
PROGRAMS = {
    "slow": """
import os, time
while not os.path.exists(os.path.join(os.path.dirname(__file__), "go")):
    time.sleep(0.05)
from daas_hub.session.start import main
raise SystemExit(main([]))
""",
    "dying": """
import os, socket
listener = socket.socket(fileno=int(os.environ["DAAS_LISTEN_FD"]))
kept = [listener.accept() for _ in range(2)]
raise SystemExit(3)
""",
    "silent": "import time; time.sleep(600)",
}
CONFIG = """
from pathlib import Path

import daas_hub.portal.launches
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

# on a busy machine, too, a browser is sent to its session and not to the page that shows its progress
daas_hub.portal.launches.PROGRESS_PAGE_AFTER_S = 30
SandboxSpawner.session_program = staticmethod(lambda plan: Path({tools!r}, "chosen").read_text())
c.SandboxSpawner.read_only = [{tools!r}]


def wait_for_silent_ones(spawner):
    spawner.http_timeout = 12 if Path({tools!r}, "chosen").read_text().endswith("silent") else 60


c.Spawner.pre_spawn_hook = wait_for_silent_ones
c.SandboxSpawner.reconcile_interval_s = 0.5
"""


def portal_with_programs() -> Iterator[Portal]:
    """Run one, for a fixture."""
    state = new_state()
    tools = state / "tools"
    tools.mkdir(mode=0o755)
    for name, lines in PROGRAMS.items():
        (tools / name).write_text(f"{lines}\n")
    running = start_portal(state=state, port=free_ports(4), more_config=CONFIG.format(tools=str(tools)))
    yield running
    running.stop()
    kill_rest(running)
    remove(running)


def start_again(portal: Portal) -> None:
    """Start its hub again, with the same configuration."""
    config = CONFIG.format(tools=str(portal.state / "tools"))
    portal.process = start_portal(state=portal.state, port=portal.port, more_config=config).process


def choose(portal: Portal, program: str) -> None:
    """Choose the program of the next session."""
    tools = portal.state / "tools"
    (tools / "go").unlink(missing_ok=True)
    (tools / "chosen").write_text(str(tools / program))
