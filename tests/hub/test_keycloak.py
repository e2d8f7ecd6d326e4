"""A real Keycloak: login, accounts from its claims, refresh, sign-out in both directions, a person who is taken out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.cookiejar import Cookie
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.cookies import RequestsCookieJar

from tests.hub.logins import is_out
from tests.live_portal import Person, Portal, free_ports, new_state, plain_text, remove, start_portal
from tests.stand_ins.keycloak import Keycloak, start_keycloak
from tests.waiting import wait_for

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

CONFIG = """
c.UmbrellaAuthenticator.profile = "keycloak"
c.UmbrellaAuthenticator.oidc_issuer = "{issuer}"
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret = "not-a-secret"
c.Facility.accounts = "claims"
c.ClaimsAccounts.issuers = ["{issuer}"]
c.RoleRules.issuers = ["{issuer}"]
c.RoleRules.admin_claims = {{"groups": ["/proposals/ma-4242"]}}
c.Authenticator.auth_refresh_age = 1
c.UmbrellaAuthenticator.recheck_s = 6
"""


@pytest.fixture(scope="module")
def keycloak(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Portal, Keycloak]]:
    port = free_ports(4)
    running = start_keycloak(Path(tmp_path_factory.mktemp("keycloak")), portal=f"http://127.0.0.1:{port}")
    try:
        portal = start_portal(state=new_state(), port=port, more_config=CONFIG.format(issuer=running.issuer))
        try:
            yield portal, running
        finally:
            portal.stop()
            remove(portal)
    finally:
        running.stop()


class LocalCookies(RequestsCookieJar):
    """Keycloak's cookies are for TLS only; browsers send them to this machine all the same."""

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> Any:
        cookie.secure = False
        return super().set_cookie(cookie, *args, **kwargs)


def login(portal: Portal, keycloak: Keycloak, name: str) -> Person:
    browser = requests.Session()
    browser.cookies = LocalCookies()
    form = browser.get(f"{portal.url}/hub/oauth_login")
    person = Person(portal, browser, keycloak.sign_in(browser, form, name))
    assert person.answer.url.startswith(f"{portal.url}/hub/"), plain_text(person.answer)
    assert person.answer.status_code == 200, plain_text(person.answer)
    return person


def test_login_refresh_and_groups(keycloak: tuple[Portal, Keycloak]) -> None:
    """ES09, SO03, DI08: uidNumber as text, groups with their full path, and tokens that are renewed."""
    portal, provider = keycloak
    person = login(portal, provider, "anna")
    assert portal.wait_for_log("is account anna (uid 25001)")
    assert person.get("/hub/api/user").json()["admin"], "the group was found"
    for _ in range(3):
        time.sleep(3)  # the access token is over
        assert not is_out(person)


def test_sign_out_here_is_sign_out_there(keycloak: tuple[Portal, Keycloak]) -> None:
    portal, provider = keycloak
    person = login(portal, provider, "anna")
    answer = person.get("/hub/logout")
    assert answer.url == f"{portal.url}/hub/logged-out", answer.url
    assert "You are signed out" in plain_text(answer)
    assert is_out(person)
    assert "kc-form-login" in person.get("/hub/oauth_login").text, "Keycloak asks who it is"


def test_sign_out_there_is_sign_out_here(keycloak: tuple[Portal, Keycloak]) -> None:
    """F9: back-channel logout."""
    portal, provider = keycloak
    anna, ben = login(portal, provider, "anna"), login(portal, provider, "ben")
    provider.admin("POST", f"users/{provider.person('anna')}/logout")
    wait_for(lambda: is_out(anna), "the login ends")
    assert portal.wait_for_log("logout token of openid: 1 logins ended")
    assert not is_out(ben)


def doctor(portal: Portal, *options: str) -> subprocess.Popen[str]:
    """Begin an examination of this portal."""
    return subprocess.Popen(
        [
            str(Path(sys.prefix) / "bin" / "daas-hub"),
            "doctor",
            str(portal.state / "test_config.py"),
            "--json",
            *options,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=os.environ
        | {
            "DAAS_DEMO_PORT": portal.url.rpartition(":")[2],
            "DAAS_DEMO_STATE": str(portal.state),
            "DAAS_DEMO_HOST": "127.0.0.1",
        }
        | {"JUPYTERHUB_CRYPT_KEY": "0123456789abcdef" * 4},
    )


def test_a_login_for_an_examination(keycloak: tuple[Portal, Keycloak]) -> None:
    """`daas-hub doctor --login` with the switch of the client on, and PKCE wanted of every login; then with it off."""
    portal, provider = keycloak
    with doctor(portal, "--login") as process:
        assert process.stderr is not None
        told = ""
        while not (there := re.search(r"or open +(\S+)", told)):
            told += process.stderr.readline()
            assert process.poll() is None, told
        browser = requests.Session()
        browser.cookies = LocalCookies()
        page = provider.enter_code(browser, there[1], "anna")
        said, _ = process.communicate(timeout=120)
    findings = {one["key"]: one for one in json.loads(said)["findings"]}
    assert findings["login.test"]["verdict"] == "ok", (findings["login.test"], plain_text(page))
    assert f"subject {provider.person('anna')}" in findings["login.test"]["result"]
    assert "account anna, uid 25001" in findings["accounts.used"]["result"], findings["accounts.used"]
    client = provider.admin("GET", "clients", params={"clientId": "daas-hub"}).json()[0]
    client["attributes"]["oauth2.device.authorization.grant.enabled"] = "false"
    provider.admin("PUT", f"clients/{client['id']}", json=client)
    with doctor(portal, "--login") as process:
        said, told = process.communicate(timeout=120)
    findings = {one["key"]: one for one in json.loads(said)["findings"]}
    assert "unauthorized_client" in findings["login.test"]["result"], findings["login.test"]
    assert "Device Authorization Grant" in findings["login.test"]["fix"]
    assert "and enter" not in told


def test_a_person_who_is_taken_out(keycloak: tuple[Portal, Keycloak]) -> None:
    """D6: disabled in Keycloak, the login ends at the next refresh."""
    portal, provider = keycloak
    ben = login(portal, provider, "ben")
    provider.admin("PUT", f"users/{provider.person('ben')}", json={"enabled": False})
    wait_for(lambda: is_out(ben), "the login ends")
