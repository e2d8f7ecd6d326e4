"""{Dummy, GenericOAuthenticator, Umbrella} x {Simple, Sandbox, Docker}, in a plain hub and after `configure(c)`.

Each cell works (sign in, open the home page, start a server), or the hub refuses to start, in words. Docker's cells
sign in and go no further: launches on a real engine are in tests/docker.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.hub.plain_hub import FILES, IDENTITY_OF, ISSUER
from tests.live_portal import Portal, free_ports, new_state, plain_text
from tests.plain_hub import KEYS, PlainPerson, run_plain_hub, start_plain_hub
from tests.stand_ins.openid import CertifiedProvider, start_provider
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

PASSWORD = "open sesame, please"
AUTHENTICATORS = {
    "dummy": f"""
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{PASSWORD}"
c.Authenticator.allow_all = True
""",
    "generic-oauth": """
c.JupyterHub.authenticator_class = "generic-oauth"
c.GenericOAuthenticator.authorize_url = "PROVIDER/auth"
c.GenericOAuthenticator.token_url = "PROVIDER/token"
c.GenericOAuthenticator.userdata_url = "PROVIDER/me"
c.GenericOAuthenticator.oauth_callback_url = "PORTAL/hub/oauth_callback"
c.GenericOAuthenticator.client_id = "daas-hub"
c.GenericOAuthenticator.client_secret = "not-a-secret"
c.GenericOAuthenticator.scope = ["openid", "profile"]
c.GenericOAuthenticator.username_claim = "sub"
c.GenericOAuthenticator.basic_auth = False
c.Authenticator.allow_all = True
""",
    "umbrella": """
c.JupyterHub.authenticator_class = "umbrella"
c.UmbrellaAuthenticator.oidc_issuer = "PROVIDER"
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret = "not-a-secret"
c.Authenticator.allow_all = True
""",
}
SPAWNERS = {
    "simple": f"""
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "STATE/homes/{{username}}"
c.SimpleLocalProcessSpawner.cmd = ["{Path(sys.prefix, "bin", "jupyterhub-singleuser")}", "--allow-root"]
""",
    "sandbox": """
c.JupyterHub.spawner_class = "sandbox"
c.SandboxSpawner.runtime_dir = "STATE/run"
""",
    "proposal-docker": """
c.JupyterHub.spawner_class = "proposal-docker"
c.ProposalDockerSpawner.engine = "unix://STATE/docker.sock"
c.ProposalDockerSpawner.runtime_dir = "STATE/run"
""",
}
FACILITY = """
c.JupyterHub.allow_named_servers = True
c.Facility.state = "STATE"
c.Facility.accounts_file = "STATE/accounts.yaml"
c.Facility.proposals_file = "STATE/proposals.yaml"
c.Facility.catalogue = ["STATE/applications"]
c.MountRules.data_roots = ["STATE/data"]
"""
CONFIGURE = "from daas_hub import configure\nconfigure(c)\n"

#: What a cell comes to: the portal's pages or the hub's, and what can be started; or the words of the refusal.
NO_IDENTITY = "Facility.identity_of"
NOT_AUTHORISED = "cannot authorise the portal's launches"


@dataclass(frozen=True)
class Cell:
    """One combination.

    Attributes:
        more: further lines of the configuration.
        refused: words of the refusal; "" if it works.
        pages: whose pages it has, "hub" or "portal".
        starts: what can be started in it: "notebook" (the stock server), "session", or "" where no engine runs.
    """

    authenticator: str
    spawner: str
    configured: bool
    more: str = ""
    refused: str = ""
    pages: str = "hub"
    starts: str = ""

    def __str__(self) -> str:
        return "-".join(
            [
                self.authenticator,
                self.spawner,
                "configure" if self.configured else "plain",
                *(["identity_of"] if self.more else []),
            ]
        )

    def lines(self, state: Path, portal: str, provider: str) -> str:
        """Return the lines of the configuration."""
        parts = [CONFIGURE] if self.configured else []
        # an identity needs auth_state, and a plain hub's authenticator wants keys for it
        parts += [KEYS, AUTHENTICATORS[self.authenticator], SPAWNERS[self.spawner]]
        if self.spawner != "simple" or self.configured:
            parts.append(FACILITY)
        text = "".join([*parts, self.more])
        return text.replace("STATE", str(state)).replace("PORTAL", portal).replace("PROVIDER", provider)


OF_OTHERS = ("dummy", "generic-oauth")
OURS = {"sandbox": "session", "proposal-docker": ""}
CELLS = [
    # without configure(c): a plain hub
    *(Cell(one, "simple", False, starts="notebook") for one in AUTHENTICATORS),
    *(Cell(one, spawner, False, refused=NO_IDENTITY) for one in OF_OTHERS for spawner in OURS),
    *(Cell(one, spawner, False, IDENTITY_OF, starts=it) for one in OF_OTHERS for spawner, it in OURS.items()),
    *(Cell("umbrella", spawner, False, starts=it) for spawner, it in OURS.items()),
    # with it: the portal's pages, which need our authenticator and one of our spawners
    *(Cell(one, "simple", True, starts="notebook") for one in OF_OTHERS),
    *(Cell(one, spawner, True, refused=NO_IDENTITY) for one in OF_OTHERS for spawner in OURS),
    *(Cell(one, spawner, True, IDENTITY_OF, starts=it) for one in OF_OTHERS for spawner, it in OURS.items()),
    Cell("umbrella", "simple", True, refused=NOT_AUTHORISED),
    *(Cell("umbrella", spawner, True, pages="portal", starts=it) for spawner, it in OURS.items()),
]


@pytest.fixture(scope="module")
def port() -> int:
    return free_ports(4)


@pytest.fixture(scope="module")
def provider(port: int, sandbox_works: None) -> Iterator[CertifiedProvider]:
    """The provider of every cell's logins."""
    running = start_provider("keycloak", portal=f"http://127.0.0.1:{port}")
    yield running
    running.stop()


@pytest.fixture
def state(provider: CertifiedProvider) -> Iterator[Path]:
    """The directory of one hub, with the facility's files; Anna has a login at either issuer."""
    folder = new_state()
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        logins = f'{{issuer: "{ISSUER}", subject: anna}}'
        also = f'{logins}, {{issuer: "{provider.issuer}", subject: anna}}'
        file.write_text(text.replace("DATA", f"{folder}/data/visit1").replace(logins, also))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def sign_in(cell: Cell, hub: Portal) -> PlainPerson:
    browser = requests.Session()
    if cell.authenticator == "dummy":
        browser.get(f"{hub.url}/hub/login")
        token = next(cookie.value for cookie in browser.cookies if cookie.name == "_xsrf")
        fields = {"username": "anna", "password": PASSWORD, "_xsrf": token or ""}
        return PlainPerson(hub, browser, browser.post(f"{hub.url}/hub/login", data=fields))
    form = browser.get(f"{hub.url}/hub/oauth_login")
    assert "/interaction/" in form.url, form.text[:500]
    return PlainPerson(hub, browser, browser.post(form.url, data={"sub": "anna"}))


def start(anna: PlainPerson, what: str) -> None:
    """Start what this cell can start, wait until it runs, open it, and stop it."""
    name = "" if what == "notebook" else "probe-1"
    server = f"users/{anna.name}/server" if what == "notebook" else f"users/{anna.name}/servers/{name}"
    options = None if what == "notebook" else {"user_options": {"application": "probe"}}
    answer = anna.api("POST", server, options)
    assert answer.status_code in (201, 202), answer.text
    wait_for(
        lambda: anna.get(f"/hub/api/users/{anna.name}").json()["servers"].get(name, {}).get("ready"),
        lambda: anna.portal.log.read_text()[-3000:],
        timeout_s=90,
    )
    assert anna.get(f"/user/{anna.name}/{name}".rstrip("/") + "/").status_code == 200
    assert anna.api("DELETE", server).status_code in (202, 204)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if not cell.refused], ids=str)
def test_a_cell_that_works(cell: Cell, state: Path, port: int, provider: CertifiedProvider) -> None:
    hub = start_plain_hub(cell.lines(state, f"http://127.0.0.1:{port}", provider.issuer), port=port, state=state)
    try:
        anna = sign_in(cell, hub)
        home = anna.get("/hub/home")
        assert home.status_code == 200, plain_text(home)
        assert ("MA-4242" in home.text) is (cell.pages == "portal")
        assert ("JupyterHub home page" in home.text) is (cell.pages == "hub")
        if cell.starts:
            start(anna, cell.starts)
        assert "Traceback" not in hub.log.read_text()
        if cell.starts == "session":
            asked = {"user_options": {"application": "nothing"}}
            refused = anna.api("POST", f"users/{anna.name}/servers/other-1", asked)
            assert refused.status_code == 403, "a session is authorised, whoever asks for it"
    finally:
        hub.stop()


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.refused], ids=str)
def test_a_cell_that_is_refused_when_the_hub_starts(
    cell: Cell, state: Path, port: int, provider: CertifiedProvider
) -> None:
    hub = run_plain_hub(cell.lines(state, f"http://127.0.0.1:{port}", provider.issuer), port=port, state=state)
    assert hub.process.wait(60) != 0
    said = hub.log.read_text()
    assert cell.refused in said
    assert "Traceback" not in said


def test_every_combination_has_a_cell() -> None:
    combinations = {(cell.authenticator, cell.spawner, cell.configured) for cell in CELLS}
    assert len(combinations) == len(AUTHENTICATORS) * len(SPAWNERS) * 2
