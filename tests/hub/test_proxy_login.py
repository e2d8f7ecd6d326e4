"""Umbrella's classic attributes through a web server in front, at a real hub behind its real proxy (EL14, S1, S2)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from daas_hub.authenticators.trusted_proxy.signature import signature_of
from tests.live_portal import Portal, new_state, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

SECRET = secrets.token_hex(32)
HASH = "b0744680-2aa3-4b12-8627-95d23e5e4af9"
ISSUER = "https://umbrellaid.org/idp/shibboleth"
ACCOUNTS = f"""
accounts:
  - name: anna
    uid: 25001
    gid: 25001
    groups: {{ma-4242: 26001, ls-1007: 26002}}
    display_name: Anna Lindqvist
    logins: [{{issuer: "{ISSUER}", subject: "{HASH}"}}]
"""


@pytest.fixture(scope="module")
def behind(sandbox_works: None) -> Iterator[Portal]:
    """A portal with a web server in front that signs people in, beside the demo's provider."""
    state = new_state()
    (state / "proxy-secret").write_text(SECRET)
    (state / "proxy-secret").chmod(0o600)
    (state / "umbrella.yaml").write_text(ACCOUNTS)
    told = {"issuer": ISSUER, "secret_file": str(Path(state) / "proxy-secret")}
    more = (
        f"c.UmbrellaAuthenticator.trusted_proxy = {told!r}\n"
        f"c.Facility.accounts_file = {str(state / 'umbrella.yaml')!r}\n"
    )
    portal = start_portal(state=state, more_config=more)
    yield portal
    portal.stop()
    remove(portal)


def headers(portal: Portal, subject: str = HASH, *, secret: str = SECRET) -> dict[str, str]:
    """Return what the web server sends."""
    host = portal.url.removeprefix("http://")
    proof = signature_of(
        secret, time=int(time.time()), nonce=secrets.token_urlsafe(16), host=host, path="/hub/proxy_login",
        subject=subject,
    )  # fmt: skip
    return {"X-Daas-Subject": subject, "X-Daas-Proof": proof}


def test_whom_the_web_server_proves_is_signed_in(behind: Portal) -> None:
    session = requests.Session()
    sent = headers(behind)
    answer = session.get(f"{behind.url}/hub/proxy_login", params={"next": "/hub/proposals/MA-4242"}, headers=sent)
    assert answer.status_code == 200, plain_text(answer)
    assert answer.url.endswith("/hub/proposals/MA-4242")
    assert "Anna Lindqvist" in answer.text
    again = requests.get(f"{behind.url}/hub/proxy_login", headers=sent, allow_redirects=False)
    assert again.status_code == 403, "a signature is good for once"
    assert session.get(f"{behind.url}/hub/home").status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"X-Daas-Subject": HASH}, id="a header alone"),
        pytest.param({"EAAHash": HASH, "HTTP_EAAHASH": HASH, "HTTP_UID": "anna"}, id="the predecessor's headers"),
        pytest.param({"X-Daas-Subject": HASH, "X-Daas-Proof": SECRET}, id="the secret where a signature is needed"),
        pytest.param({"X-Daas-Subject": HASH, "X-Daas-Proof": "t=1,n=" + "n" * 20 + ",s=" + "0" * 64}, id="zeros"),
    ],
)
def test_nobody_else_is(behind: Portal, sent: dict[str, str]) -> None:
    session = requests.Session()
    answer = session.get(f"{behind.url}/hub/proxy_login", headers=sent, allow_redirects=False)
    assert answer.status_code == 403
    assert "was not accepted" in plain_text(answer)
    assert not [one for one in session.cookies if "hub" in one.name and "login" in one.name]
    assert session.get(f"{behind.url}/hub/home", allow_redirects=False).status_code == 302


def test_a_header_counts_at_that_address_only(behind: Portal) -> None:
    answer = requests.get(f"{behind.url}/hub/home", headers=headers(behind), allow_redirects=False)
    assert answer.status_code == 302


def test_somebody_without_an_account_is_told_what_to_do(behind: Portal) -> None:
    answer = requests.get(f"{behind.url}/hub/proxy_login", headers=headers(behind, "somebody-else"))
    assert answer.status_code == 403
    assert "you have no account here yet" in plain_text(answer)


def test_both_ways_in_stand_on_the_login_page(behind: Portal) -> None:
    page = requests.get(f"{behind.url}/hub/login").text
    assert "/hub/proxy_login" in page
    assert "/hub/oauth_login" in page
