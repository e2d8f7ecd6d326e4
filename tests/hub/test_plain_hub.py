"""The authenticator alone, in a JupyterHub without the portal: a login and nothing else, on the hub's own pages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from daas_hub.accounts import Identity
from tests.live_portal import Portal, free_ports, plain_text, remove
from tests.plain_hub import KEYS, PlainPerson, run_plain_hub, start_plain_hub
from tests.stand_ins.openid import CertifiedProvider, start_provider
from tests.waiting import wait_for

ONE = """
c.JupyterHub.authenticator_class = "umbrella"
c.JupyterHub.spawner_class = "simple"
c.UmbrellaAuthenticator.oidc_issuer = "{issuer}"
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret = "not-a-secret"
"""
SINGLEUSER = Path(sys.prefix) / "bin" / "jupyterhub-singleuser"
NAMES = """
c.OAuthenticator.username_claim = "preferred_username"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"anna"}}
c.Authenticator.blocked_users = {{"ben"}}
c.Spawner.cmd = ["{singleuser}", "--allow-root"]
"""
#: No name of a claim: people have the opaque name of their identity.
LISTS = """
c.JupyterHub.authenticator_class = "umbrella"
c.JupyterHub.spawner_class = "simple"
c.UmbrellaAuthenticator.providers = {{
    "one": {{"issuer": "{issuer}", "client_id": "daas-hub", "client_secret": "not-a-secret", "title": "<One>"}},
    "other": {{"profile": "egi", "client_id": "x", "client_secret": "y"}},
}}
c.Authenticator.allowed_users = {{"{issuer} anna"}}
c.UmbrellaAuthenticator.recheck_s = 0
"""


@dataclass
class PlainHub:
    """A plain hub and the provider of its logins."""

    hub: Portal
    provider: CertifiedProvider
    begin: str

    def login(self, sub: str) -> PlainPerson:
        browser = requests.Session()
        form = browser.get(f"{self.hub.url}{self.begin}")
        assert "/interaction/" in form.url, form.text[:500]
        return PlainPerson(self.hub, browser, browser.post(form.url, data={"sub": sub}))


def started(lines: str, name: str) -> Iterator[PlainHub]:
    port = free_ports(4)
    people = {
        "anna": {"preferred_username": "Anna"},
        "ben": {"preferred_username": "ben"},
        "carla": {"preferred_username": None},
    }
    provider = start_provider("keycloak", portal=f"http://127.0.0.1:{port}", name=name, people=people)
    try:
        hub = start_plain_hub(KEYS + lines.format(issuer=provider.issuer, singleuser=SINGLEUSER), port=port)
        try:
            yield PlainHub(hub, provider, f"/hub/oauth_login/{name}" if name else "/hub/oauth_login")
        finally:
            hub.stop()
            remove(hub)
    finally:
        provider.stop()


@pytest.fixture(scope="module")
def named() -> Iterator[PlainHub]:
    """A hub whose users have the name of a claim."""
    yield from started(ONE + NAMES, "")


@pytest.fixture(scope="module")
def opaque() -> Iterator[PlainHub]:
    """A hub with two providers, and a list of who may sign in."""
    yield from started(LISTS, "one")


def test_a_login_has_the_name_of_the_claim_and_the_hubs_own_pages(named: PlainHub) -> None:
    anna = named.login("anna")
    assert anna.answer.status_code == 200, plain_text(anna.answer)
    user = anna.get("/hub/api/user").json()
    assert (user["name"], user["admin"]) == ("anna", True)
    for page in ("home", "token", "admin", "spawn"):
        answer = anna.get(f"/hub/{page}")
        assert answer.status_code == 200, page
        assert "daas/static" not in answer.text, "it is not one of the portal's"
    assert anna.get("/hub/proposals/MA-4242").status_code == 404


def test_a_login_starts_the_servers_of_any_spawner(named: PlainHub) -> None:
    """The stock spawner asks nobody for an account."""
    anna = named.login("anna")
    assert anna.api("POST", "users/anna/server").status_code in (201, 202)
    wait_for(
        lambda: anna.get("/hub/api/users/anna").json()["servers"].get("", {}).get("ready"),
        lambda: named.hub.log.read_text()[-3000:],
        timeout_s=90,
    )
    page = anna.get("/user/anna/")
    assert (page.status_code, page.url.startswith(f"{named.hub.url}/user/anna/")) == (200, True)
    assert anna.api("DELETE", "users/anna/server").status_code in (202, 204)


def test_a_login_that_is_blocked_or_has_no_name_is_refused(named: PlainHub) -> None:
    ben, carla = named.login("ben"), named.login("carla")
    assert (ben.answer.status_code, carla.answer.status_code) == (403, 403)
    assert "not currently authorized" in ben.answer.text
    assert "did not send the claim preferred_username" in carla.answer.text


def test_signing_out_ends_on_the_hubs_own_page(named: PlainHub) -> None:
    anna = named.login("anna")
    here = anna.get("/hub/logged-out")
    assert here.status_code == 200
    assert "Successfully logged out" in here.text
    away = anna.get("/hub/logout", allow_redirects=False)
    assert away.headers["Location"].startswith(f"{named.provider.issuer}/")
    assert "/hub/login" in anna.get("/hub/home").url or "/interaction/" in anna.get("/hub/home").url


def test_the_hubs_login_page_offers_each_provider(opaque: PlainHub) -> None:
    page = requests.get(f"{opaque.hub.url}/hub/home", timeout=30)
    assert 'href="/hub/oauth_login/one?next=%2Fhub%2Fhome"' in page.text.replace("%252F", "%2F")
    assert "Sign in with &lt;One&gt;" in page.text
    assert "Sign in with EGI Check-in" in page.text
    assert 'type="password"' not in page.text


def test_a_name_and_a_password_mean_nothing_to_the_hubs_own_form(opaque: PlainHub) -> None:
    browser = requests.Session()
    browser.get(f"{opaque.hub.url}/hub/login", timeout=30)
    token = next(cookie.value for cookie in browser.cookies if cookie.name == "_xsrf")
    fields = {"username": "anna", "password": "x", "_xsrf": token}
    answer = browser.post(f"{opaque.hub.url}/hub/login", data=fields, timeout=30)
    assert answer.status_code < 500
    assert not [cookie for cookie in browser.cookies if "hub-login" in cookie.name]


def test_only_who_is_named_signs_in_and_has_an_opaque_name(opaque: PlainHub) -> None:
    anna, ben = opaque.login("anna"), opaque.login("ben")
    assert anna.name == Identity(opaque.provider.issuer, "anna").hub_name
    assert anna.get("/hub/home").status_code == 200
    assert ben.answer.status_code == 403


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param(KEYS + ONE + 'c.UmbrellaAuthenticator.linking = "ldap"', "needs the portal's pages", id="linking"),
        pytest.param(KEYS + ONE + "c.Authenticator.manage_roles = True", "RoleRules.admin_groups", id="refused"),
        pytest.param(KEYS + LISTS + 'c.OAuthenticator.username_claim = "sub"', "two people", id="names-of-two"),
        pytest.param(ONE, "JUPYTERHUB_CRYPT_KEY", id="no-key"),
    ],
)
def test_what_cannot_work_is_refused_when_the_hub_starts(
    lines: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY", raising=False)
    hub = run_plain_hub(lines.format(issuer="http://127.0.0.1:1"))
    try:
        assert hub.process.wait(60) != 0
        assert words in hub.log.read_text()
    finally:
        remove(hub)


def test_without_a_list_nobody_signs_in() -> None:
    """As JupyterHub: a login at a provider alone, which anybody may have, admits nobody."""
    port = free_ports(4)
    provider = start_provider("keycloak", portal=f"http://127.0.0.1:{port}")
    try:
        hub = start_plain_hub(KEYS + ONE.format(issuer=provider.issuer), port=port)
        try:
            assert "No allow config found" in hub.log.read_text()
            assert PlainHub(hub, provider, "/hub/oauth_login").login("anna").answer.status_code == 403
        finally:
            hub.stop()
            remove(hub)
    finally:
        provider.stop()
