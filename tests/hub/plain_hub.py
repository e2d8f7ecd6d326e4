"""A hub as an administrator has it who does not use our portal: an authenticator of another project, our spawner."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from daas_hub.configuration import proxy_command
from tests.live_portal import free_ports, new_state

ISSUER = "https://login.facility.example"
START_TIMEOUT_S = 120.0

CONFIG = """\
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = {proxy!r}
c.ConfigurableHTTPProxy.pid_file = "{state}/hub/proxy.pid"
c.JupyterHub.db_url = "sqlite:///{state}/hub/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "{state}/hub/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.DummyAuthenticator.password = "open sesame, please"
c.JupyterHub.spawner_class = "sandbox"
c.JupyterHub.allow_named_servers = True
c.Facility.state = "{state}"
c.Facility.accounts_file = "{state}/accounts.yaml"
c.Facility.proposals_file = "{state}/proposals.yaml"
c.Facility.catalogue = ["{state}/applications"]
c.MountRules.data_roots = ["{state}/data"]
c.SandboxSpawner.runtime_dir = "{state}/run"
"""

#: The documented function: docs/how-to/use-with-another-authenticator.md.
IDENTITY_OF = f"""
from daas_hub.accounts import Identity

def identity_of(user, auth_state):
    return None if user.name == "nobody" else Identity("{ISSUER}", user.name)

c.Facility.identity_of = identity_of
"""

FILES = {
    "accounts.yaml": f"""\
accounts:
  - name: anna
    uid: 25001
    gid: 25001
    groups: {{ma-4242: 26001}}
    logins: [{{issuer: "{ISSUER}", subject: anna}}]
""",
    "proposals.yaml": """\
proposals:
  - id: MA-4242
    title: Roman glass
    beamlines: [ID21]
    members: [anna]
    gid: 26001
    visits:
      - {number: 1, title: Glass, beamline: ID21, start: 2026-03-09T08:00:00Z, end: 2026-03-12T08:00:00Z, data: [DATA]}
""",
    "applications/probe.yaml": """\
name: probe
title: Probe
kind: desktop
command: [sh, -c, 'id > $HOME/probe.out; ls $HOME/data >> $HOME/probe.out; env >> $HOME/probe.out; sleep 300']
""",
    "applications/sizes.yaml": "sizes:\n  small: {title: Small, memory: 2 GiB, cpus: 1, processes: 500, hours: 1}\n",
    "data/visit1/glass.txt": "glass",
}


def prepare(more_config: str) -> tuple[Path, int]:
    """Write the configuration of a plain hub; give its directory and its port. Whoever calls it removes the one."""
    state, port = new_state(), free_ports(3)
    (state / "hub").mkdir(mode=0o700)
    for name, text in FILES.items():
        file = state / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("DATA", f"{state}/data/visit1"))
    text = CONFIG.format(state=state, port=port, hub_port=port + 1, proxy_port=port + 2, proxy=proxy_command())
    (state / "jupyterhub_config.py").write_text(text + more_config)
    return state, port


def hub_command(state: Path) -> list[str]:
    """Return the command that starts it."""
    return [str(Path(sys.prefix) / "bin" / "jupyterhub"), "-f", str(state / "jupyterhub_config.py")]


@dataclass
class PlainHub:
    """A plain hub that runs."""

    url: str
    state: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def started(cls, state: Path, port: int) -> PlainHub:
        """Start a prepared one and wait until it answers; whoever starts it stops it."""
        with (state / "hub.log").open("wb") as log:
            process = subprocess.Popen(hub_command(state), cwd="/", env=os.environ, stdout=log, stderr=log)
        hub = cls(f"http://127.0.0.1:{port}", state, process)
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                if requests.get(f"{hub.url}/hub/login", timeout=30).ok:
                    return hub
            time.sleep(0.2)
        hub.stop()
        raise AssertionError(f"the hub did not start:\n{hub.log[-4000:]}")

    @property
    def log(self) -> str:
        """What it said so far."""
        return (self.state / "hub.log").read_text(errors="replace")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)

    def login(self, name: str) -> User:
        """Log in by the authenticator's form."""
        session = requests.Session()
        session.get(f"{self.url}/hub/login")
        fields = {"username": name, "password": "open sesame, please", "_xsrf": session.cookies.get("_xsrf", "")}
        answer = session.post(f"{self.url}/hub/login", data=fields, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return User(self, name, session)


@dataclass
class User:
    """Somebody who is logged in."""

    hub: PlainHub
    name: str
    session: requests.Session

    def xsrf(self) -> str:
        """Return the token of this person's requests."""
        page = self.session.get(f"{self.hub.url}/hub/token").text
        match = re.search(r'xsrf_token: "([^"]*)"', page)
        assert match, page
        return match[1]

    def start(self, server: str, options: Any) -> requests.Response:
        """Ask the hub's API for a session."""
        return self.session.post(
            f"{self.hub.url}/hub/api/users/{self.name}/servers/{server}",
            json={"user_options": options},
            headers={"X-XSRFToken": self.xsrf()},
        )

    def stop(self, server: str) -> None:
        """Stop a session."""
        self.session.delete(
            f"{self.hub.url}/hub/api/users/{self.name}/servers/{server}", headers={"X-XSRFToken": self.xsrf()}
        )

    def is_ready(self, server: str) -> bool:
        """Return whether a session runs."""
        answer = self.session.get(
            f"{self.hub.url}/hub/api/users/{self.name}", headers={"X-XSRFToken": self.xsrf()}
        ).json()
        return bool(answer["servers"].get(server, {}).get("ready"))
