"""A real portal for tests: the shipped jupyterhub_config.py, as `make demo` runs it, with its own ports and state."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import create_engine, text

from tests.workers import own_ports

CONFIG = Path(__file__).parents[1] / "jupyterhub_config.py"
START_TIMEOUT_S = 120.0
#: For tests that read in the answer to a form that a launch was refused, or that are sent to the session at once: on a
#: busy machine they would see the page of its progress.
WITHOUT_PROGRESS_PAGE = """
import daas_hub.portal.launches

daas_hub.portal.launches.PROGRESS_PAGE_AFTER_S = 20
"""
#: What a hub starts, and what outlives it if it is killed.
IDENTITY_PROVIDER, PROXY = "daas_hub.demo.identity_provider", "configurable-http-proxy"
#: The environment variable that names the server that all portals of a run store in.
DATABASE_SERVER = "DAAS_TEST_DATABASE"


@dataclass
class Portal:
    """A running portal: its address, its state, and the process that can be ended."""

    url: str
    state: Path
    log: Path
    process: subprocess.Popen[bytes]

    def login(self, subject: str) -> Person:
        """Log somebody in through the identity provider's form, as a browser would."""
        session = requests.Session()
        form = session.get(f"{self.url}/hub/oauth_login")
        assert form.status_code == 200, form.text[:500]
        answer = session.post(form.url, data={"sub": subject})
        return Person(self, session, answer)

    def wait_for_log(self, words: str, timeout_s: float = 30.0) -> bool:
        """Return whether the hub's log says so within this time."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if words in self.log.read_text(errors="replace"):
                return True
            time.sleep(0.1)
        return False

    def rows(self, statement: str) -> Sequence[Any]:
        """Return what a statement selects from the hub's database, whichever that is."""
        engine = create_engine(self.database_url)
        try:
            with engine.connect() as connection:
                return connection.execute(text(statement)).all()
        finally:
            engine.dispose()

    @property
    def database_url(self) -> str:
        """The URL of the hub's database."""
        if DATABASE_SERVER not in os.environ:
            return f"sqlite:///{self.state}/hub/jupyterhub.sqlite"
        from tests.databases import database_for  # which uses this module

        return database_for(self.state)

    @property
    def port(self) -> int:
        """The portal's port; the next three are the identity provider's, the hub's and the proxy's."""
        return int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        """End it and everything it started, also what a hub left that was killed."""
        left = [IDENTITY_PROVIDER] if self.process.poll() is None else [IDENTITY_PROVIDER, PROXY]
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for program in left:
            _end(program, self.port)


@dataclass
class Person:
    """Somebody who is logged in, with a cookie jar."""

    portal: Portal
    session: requests.Session
    answer: requests.Response

    @property
    def name(self) -> str:
        """The hub's name for this person."""
        return self.get("/hub/api/user").json()["name"]

    @property
    def xsrf(self) -> str:
        """The token that this person's forms carry."""
        match = re.search(r'data-xsrf="([^"]*)"', self.get("/hub/home").text)
        assert match, "the home page has no token"
        return match[1]

    def get(self, path: str, **more: Any) -> requests.Response:
        """Open a page of the portal; calls of the API carry the token as our scripts do."""
        headers = more.pop("headers", {})
        if path.startswith("/hub/api"):
            headers["X-XSRFToken"] = self._cookie("_xsrf", "/hub/")
        return self.session.get(self.portal.url + path, headers=headers, **more)

    def post(self, path: str, fields: dict[str, str] | None = None, **more: Any) -> requests.Response:
        """Send a form of the portal."""
        return self.session.post(self.portal.url + path, data={"_xsrf": self.xsrf} | (fields or {}), **more)

    def api(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call the hub's REST API with the cookie, as a script on our pages could."""
        return self.session.request(
            method,
            f"{self.portal.url}/hub/api/{path}",
            data=None if body is None else json.dumps(body),
            headers={"X-XSRFToken": self.xsrf, "Content-Type": "application/json"},
        )

    def launch(
        self, application: str, *, proposal: str = "", visit: str = "", place: str = "", wait: bool = True
    ) -> str:
        """Launch an application through the form; give the session's name."""
        fields = {"application": application, "proposal": proposal, "visit": visit}
        fields |= {"place": place} if place else {}
        answer = self.post("/hub/launch", fields, allow_redirects=False)
        assert answer.status_code == 303, plain_text(answer)
        name = answer.headers["Location"].rstrip("/").rpartition("/")[2]
        if wait:
            self.wait_ready(name)
        return name

    def wait_ready(self, name: str, timeout_s: float = 60.0) -> None:
        """Wait until the session runs."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            servers = self.get(f"/hub/api/users/{self.name}").json().get("servers", {})
            if servers.get(name, {}).get("ready"):
                return
            time.sleep(0.1)
        page = plain_text(self.get(f"/hub/sessions/{name}"))
        raise AssertionError(f"{name} is not ready: {page}")

    def stop(self, name: str) -> requests.Response:
        """Stop a session through the form."""
        return self.post(f"/hub/sessions/{name}/stop", allow_redirects=False)

    def _cookie(self, name: str, path: str) -> str:
        return next((cookie.value or "" for cookie in self.session.cookies if cookie.name == name), "")


def plain_text(answer: requests.Response) -> str:
    """Return the words of a page's main part."""
    main = answer.text.partition("<main")[2] or answer.text
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())


def _end(program: str, portal_port: int) -> None:
    """End the program that a portal's hub started, if its hub did not."""
    port = str(portal_port + (program == IDENTITY_PROVIDER))
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = file.read_text(errors="replace").split("\0")
            if port in words and any(word.endswith(program) for word in words):
                os.kill(int(file.parent.name), signal.SIGTERM)


#: What was given in this run, and may be used much later.
_GIVEN: set[int] = set()


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row that nobody uses now."""
    # at random: two runs on one machine must not meet
    for first in random.sample(own_ports()[::10], 200):
        if first in _GIVEN:
            continue
        with contextlib.ExitStack() as sockets:
            try:
                for port in range(first, first + count):
                    sockets.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        _GIVEN.add(first)
        return first
    raise AssertionError("no free ports")


#: The directories that `new_state` made in this process.
OWN_STATES: set[Path] = set()


def new_state() -> Path:
    """Make a directory every account can reach."""
    state = Path(tempfile.mkdtemp(prefix="daas-", dir="/var/tmp"))
    state.chmod(0o755)
    OWN_STATES.add(state)
    return state


def is_of_another_run(pid: int) -> bool:
    """Return whether a session's process has directories of portals that another process of the tests runs."""
    mounts = Path(f"/proc/{pid}/mountinfo").read_text()
    states = {Path(found) for found in re.findall(r"/var/tmp/daas-[a-z0-9_]{8}(?=[/ ])", mounts)}
    return bool(states) and not states & OWN_STATES


def start_portal(
    applications: Path | None = None,
    *,
    state: Path | None = None,
    port: int = 0,
    more_config: str = "",
    python: Path | None = None,
    pending_after_s: float = 20.0,
    output: socket.socket | None = None,
) -> Portal:
    """Start a portal; whoever starts it stops it and removes its state.

    Args:
        more_config: lines after those of the shipped configuration.
        python: the interpreter of another environment that has the portal.
        pending_after_s: after how many seconds a start by the API is answered as pending. After the one second of the
            shipped configuration a busy machine has often not refused it yet.
        output: where its log goes instead of `hub.log`.
    """
    program = [str(python), "-m", "jupyterhub"] if python else [str(Path(sys.prefix) / "bin" / "jupyterhub")]
    port = port or free_ports(4)
    state = state or new_state()
    config = state / "test_config.py"
    pending = f'c.JupyterHub.tornado_settings["slow_spawn_timeout"] = {pending_after_s}'
    config.write_text(f"load_subconfig({str(CONFIG)!r})\n{pending}\n{_database(state)}\n{more_config}\n")
    log = state / "hub.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            # a run that is killed ends its hubs, and they their proxies and sessions
            ["setpriv", "--pdeathsig", "TERM", *program, "-f", str(config)],
            cwd="/",
            env=os.environ
            # requests and most of the tests find no name below localhost
            | {"DAAS_DEMO_PORT": str(port), "DAAS_DEMO_STATE": str(state), "DAAS_DEMO_HOST": "127.0.0.1"}
            | ({"DAAS_DEMO_APPLICATIONS": str(applications)} if applications else {}),
            stdout=output or file,
            stderr=subprocess.STDOUT,
        )
    portal = Portal(f"http://127.0.0.1:{port}", state, log, process)
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            provider = requests.get(f"http://127.0.0.1:{port + 1}/.well-known/openid-configuration", timeout=5)
            login = requests.get(f"{portal.url}/hub/login", timeout=5, allow_redirects=False)
            if provider.ok and login.ok:
                return portal
        time.sleep(0.2)
    portal.stop()
    raise AssertionError(f"the portal did not start:\n{log.read_text()[-4000:]}")


def _database(state: Path) -> str:
    """Return the line for a database on a server, if this run has one (`tests.databases`)."""
    if DATABASE_SERVER not in os.environ:
        return ""
    from tests.databases import database_for  # which uses this module

    return f"c.JupyterHub.db_url = {database_for(state)!r}"


def remove(portal: Portal) -> None:
    """Remove what a stopped portal left on disk."""
    shutil.rmtree(portal.state, ignore_errors=True)
