"""A login through a real SATOSA, the kind of proxy that eduTEAMS and Umbrella are, from a SAML identity provider."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.live_portal import Person, Portal, free_ports, new_state, plain_text, remove, start_portal
from tests.stand_ins.identity_provider import sign_in
from tests.stand_ins.satosa_proxy import CLIENT_ID, CLIENT_SECRET, Satosa, running_satosa

pytestmark = [pytest.mark.sandbox, pytest.mark.servers]

CONFIG = """
c.UmbrellaAuthenticator.profile = "eduteams"
c.UmbrellaAuthenticator.oidc_issuer = "{issuer}"
c.UmbrellaAuthenticator.client_id = "{client}"
c.UmbrellaAuthenticator.client_secret = "{secret}"
c.UmbrellaAuthenticator.http_request_kwargs = {{"ca_certs": "{authority}"}}
c.Facility.accounts_file = "{accounts}"
"""


@pytest.fixture(scope="module")
def behind(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Portal, Satosa]]:
    """A portal whose provider is SATOSA."""
    port, state = free_ports(4), new_state()
    accounts = state / "satosa.yaml"
    accounts.write_text("accounts: []\n")
    folder = Path(tmp_path_factory.mktemp("satosa"))
    with running_satosa(folder, f"http://127.0.0.1:{port}") as satosa, pytest.MonkeyPatch.context() as trust:
        trust.setenv("REQUESTS_CA_BUNDLE", satosa.authority)
        trust.delenv("CURL_CA_BUNDLE", raising=False)
        config = CONFIG.format(
            issuer=satosa.issuer, client=CLIENT_ID, secret=CLIENT_SECRET, authority=satosa.authority, accounts=accounts
        )
        portal = start_portal(state=state, port=port, more_config=config)
        try:
            yield portal, satosa
        finally:
            portal.stop()
            remove(portal)


def login(portal: Portal, name: str) -> Person:
    """Sign in as a browser does: portal, SATOSA, the identity provider, and back."""
    browser = requests.Session()
    page = browser.get(f"{portal.url}/hub/oauth_login", timeout=30)
    assert 'name="password"' in page.text, page.text[:1000]
    return Person(portal, browser, sign_in(browser, page, name, portal.url))


def test_it_offers_the_secret_in_a_header_only(behind: tuple[Portal, Satosa]) -> None:
    """What makes this kind of provider one of its own; the portal reads it, and is not configured for it."""
    _, satosa = behind
    address = f"{satosa.issuer}/.well-known/openid-configuration"
    document = requests.get(address, timeout=30).json()
    assert document["token_endpoint_auth_methods_supported"] == ["client_secret_basic"]


def test_a_login_from_no_account_to_a_session(behind: tuple[Portal, Satosa]) -> None:
    """The pairwise subject is known only after a login, from the page that refuses it."""
    portal, satosa = behind
    refused = login(portal, "anna")
    told = plain_text(refused.answer)
    assert "you have no account here yet" in told, told
    assert "Anna Lindqvist" in told, "the name, from userinfo"
    subject = re.search(r"for the user office: ([0-9a-f]{64}) at " + re.escape(satosa.issuer), told)
    assert subject, told
    (portal.state / "satosa.yaml").write_text(
        f"accounts:\n  - name: anna\n    uid: 25001\n    gid: 25001\n"
        f"    logins: [{{issuer: '{satosa.issuer}', subject: '{subject[1]}'}}]\n"
    )
    person = login(portal, "anna")
    assert person.answer.status_code == 200, plain_text(person.answer)
    assert "Anna Lindqvist" in person.answer.text
    name = person.launch("terminal")
    assert person.get(f"/user/{person.name}/{name}/").status_code == 200
    person.stop(name)
    assert "you have no account here yet" in plain_text(login(portal, "ben").answer), "somebody else"
