"""A real JupyterHub without the portal: its own pages and templates, and a configuration of a few lines."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import requests

from tests.live_portal import START_TIMEOUT_S, Person, Portal, free_ports, new_state

CONFIG = """
from daas_hub.configuration import proxy_command
c.JupyterHub.bind_url = "{url}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.command = proxy_command()
c.ConfigurableHTTPProxy.pid_file = "{state}/proxy.pid"
c.JupyterHub.db_url = "sqlite:///{state}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "{state}/cookie_secret"
c.JupyterHub.redirect_to_server = False
"""
KEYS = 'c.CryptKeeper.keys = ["0123456789abcdef" * 4]\n'


def run_plain_hub(lines: str, *, port: int = 0, state: Path | None = None) -> Portal:
    """Start a hub; whoever starts it stops it. It may end by itself, if it refuses its configuration."""
    port, state = port or free_ports(4), state or new_state()
    url = f"http://127.0.0.1:{port}"
    config, log = state / "jupyterhub_config.py", state / "hub.log"
    config.write_text(CONFIG.format(url=url, hub=port + 2, api=port + 3, state=state) + lines)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.prefix) / "bin" / "jupyterhub"), "-f", str(config)],
            cwd=state,
            env=os.environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Portal(url, state, log, process)


def start_plain_hub(lines: str, *, port: int = 0, state: Path | None = None) -> Portal:
    """Start a hub, and wait until it answers."""
    hub = run_plain_hub(lines, port=port, state=state)
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and hub.process.poll() is None:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            if requests.get(f"{hub.url}/hub/login", timeout=30).ok:
                return hub
        time.sleep(0.2)
    hub.stop()
    raise AssertionError(f"the hub did not start:\n{hub.log.read_text()[-4000:]}")


class PlainPerson(Person):
    """Somebody who is signed in at a plain hub, whose pages carry their token elsewhere."""

    @property
    def xsrf(self) -> str:
        """The token of the hub's pages."""
        self.get("/hub/home")
        return self._cookie("_xsrf", "/hub/")
