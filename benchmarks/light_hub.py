"""A portal whose sessions are light (`light_sessions`), with the records and the reconciler of every other backend."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.live_portal import Portal, free_ports, new_state, start_portal
from tests.places import kill_rest

from .processes import listener
from .service import Service

ROOT = Path(__file__).resolve().parents[1]
SERVER = "work"
CONFIG = """
import json
from jupyterhub.spawner import Spawner
from tornado.httpclient import AsyncHTTPClient
from daas_hub.accounts import Identity
from daas_hub.errors import SessionFailed
from daas_hub.spawners.recorded import RecordedSessionMixin
from daas_hub.spawners.session_records import RunningSession

class LightSpawner(RecordedSessionMixin, Spawner):
    runs = False

    @property
    def path(self):
        return f"{{self.user.name}}/{{self.name}}"

    @property
    def hub_api_url(self):
        return "http://127.0.0.1:{hub}/hub/api"

    async def ask(self, method, path, body=None):
        text = json.dumps(body) if body else None
        try:
            http = AsyncHTTPClient(max_clients=100)
            answer = await http.fetch("{backend}" + path, method=method, body=text, request_timeout=60)
        except OSError:
            raise SessionFailed("The backend does not answer.")
        return json.loads(answer.body)

    async def start_session(self, plan):
        await self.record_start(plan)
        url = self.hub_api_url + f"/users/{{self.user.name}}/activity"
        await self.ask("PUT", "/sessions/" + self.path, {{"url": url, "token": self.api_token, "server": self.name}})
        self.runs = True
        return "{sessions}"

    async def poll(self):
        if self.was_interrupted and not self._start_pending:
            return 0
        return None if self.runs and self.path in await self.ask("GET", "/sessions") else 0

    async def stop(self, now=False):
        await self.ask("DELETE", "/sessions/" + self.path)
        self.runs = False

    async def run_post_stop_hook(self):
        await self.records.remove(self.key)

    def name_on_backend(self, user, server):
        return f"{{user}}/{{server}}"

    async def list_running(self):
        return [RunningSession(one, (one,)) for one in await self.ask("GET", "/sessions")]

    async def end_running(self, one):
        await self.ask("DELETE", "/sessions/" + one.name)

    def get_state(self):
        return super().get_state() | ({{"runs": True}} if self.runs else {{}})

    def load_state(self, state):
        super().load_state(state)
        self.runs = state.get("runs") is True

c.JupyterHub.spawner_class = LightSpawner
c.LightSpawner.runtime_dir = "{state}/run"
c.LightSpawner.poll_interval = 30
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.cleanup_servers = False
c.Facility.accounts_file = "{state}/bench-accounts.yaml"
# nobody signs in: a service starts the sessions
c.UmbrellaAuthenticator.refresh_pre_spawn = False
c.UmbrellaAuthenticator.recheck_s = 0
c.Facility.identity_of = lambda user, auth_state: Identity("{issuer}", user.name)
c.JupyterHub.services.append({{"name": "driver", "api_token": "{token}"}})
c.JupyterHub.load_roles.append(
    {{"name": "driver", "services": ["driver"], "scopes": ["admin:users", "admin:servers", "list:users"]}}
)
c.JupyterHub.tornado_settings.update({{"slow_spawn_timeout": 120}})
"""
ISSUER = "https://people.example.org"


def name_of(number: int) -> str:
    """Return the name of a person."""
    return f"p{number:05}"


class LightHub:
    """The portal, its backend, and who drives both.

    Attributes:
        portal: as it runs now.
        backend: the program that has the sessions.
    """

    def __init__(self, people: int) -> None:
        self.state, self._port = new_state(), free_ports(6)
        self._token = secrets.token_hex(16)
        lines = [
            f"  - {{name: {name_of(n)}, uid: {20000 + n}, gid: {20000 + n}, "
            f"logins: [{{issuer: '{ISSUER}', subject: {name_of(n)}}}]}}"
            for n in range(people)
        ]
        (self.state / "bench-accounts.yaml").write_text("accounts:\n" + "\n".join(lines) + "\n")
        self._backend_url = f"http://127.0.0.1:{self._port + 4}"
        self._config = CONFIG.format(
            hub=self._port + 2, backend=self._backend_url, sessions=f"http://127.0.0.1:{self._port + 5}",
            state=self.state, issuer=ISSUER, token=self._token,
        )  # fmt: skip
        self.backend = Service(self.state)
        self.backend.run(
            [sys.executable, "-m", "benchmarks.light_sessions", str(self._port + 4), str(self._port + 5)], {}, ROOT
        )
        self.portal: Portal = self._started()

    def _started(self) -> Portal:
        return start_portal(state=self.state, port=self._port, more_config=self._config, pending_after_s=1)

    def start_again(self) -> float:
        """Start the hub that was killed; return the seconds until its API and its pages answer."""
        began = time.monotonic()
        self.portal = self._started()
        self.ask("GET", "users?limit=1")
        return time.monotonic() - began

    @property
    def proxy(self) -> int:
        """The process of the proxy."""
        if (found := listener(self._port)) is None:
            raise RuntimeError("no proxy")
        return found

    def hub_process(self) -> int:
        """Return the process of the hub."""
        if (found := listener(self._port + 2)) is None:
            raise RuntimeError("no hub")
        return found

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Call the hub's API."""
        answer = requests.request(
            method, f"{self.portal.url}/hub/api/{path}", json=body,
            headers={"Authorization": f"token {self._token}"}, timeout=300,
        )  # fmt: skip
        if answer.status_code >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    def start_sessions(self, count: int) -> None:
        """Start a session for each person, ten at a time."""
        for first in range(0, count, 200):
            names = [name_of(number) for number in range(first, min(count, first + 200))]
            self.ask("POST", "users", {"usernames": names})
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(self._start, range(count)))

    def _start(self, number: int) -> None:
        # the hub refuses a start while its machine is busy with others
        for _ in range(3):
            with contextlib.suppress(RuntimeError):
                self.ask("POST", f"users/{name_of(number)}/servers/{SERVER}", {"application": "terminal"})
                return
        raise RuntimeError(f"{name_of(number)} has no session")

    def known(self) -> set[str]:
        """Return the sessions that are ready, as the hub's API has them."""
        found: set[str] = set()
        offset = 0
        while page := self.ask("GET", f"users?state=ready&limit=200&offset={offset}"):
            offset += len(page)
            for user in page:
                found |= {f"{user['name']}/{name}" for name, one in user["servers"].items() if one["ready"]}
        return found

    def running(self) -> set[str]:
        """Return the sessions that the backend has."""
        return set(requests.get(f"{self._backend_url}/sessions", timeout=60).json())

    def silence(self, silent: bool) -> None:
        """Let a fifth of the sessions be silent, or not any more."""
        requests.put(f"{self._backend_url}/silence", json=silent, timeout=60).raise_for_status()

    def status_of(self, session: str) -> int:
        """Return the status of a session's page through the proxy."""
        return requests.get(f"{self.portal.url}/user/{session}/", timeout=60).status_code

    def stop(self) -> None:
        """End everything, and remove the state."""
        self.portal.stop()
        kill_rest(self.portal)
        self.backend.stop()
        shutil.rmtree(self.state, ignore_errors=True)


@contextmanager
def light_hub(people: int) -> Iterator[LightHub]:
    """Run such a portal until the end of the block."""
    hub = LightHub(people)
    try:
        yield hub
    finally:
        hub.stop()
