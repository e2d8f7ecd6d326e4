"""Umbrella's classic attributes through a web server in front, at a real hub behind its real proxy (EL14, S1, S2)."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from daas_hub.authenticators.trusted_proxy.signature import signature_of
from tests.live_portal import Portal, new_state, plain_text, remove, start_portal
from tests.not_tried import not_tried

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
    told = {"issuer": ISSUER, "secret_file": str(Path(state) / "proxy-secret"), "proof": "signature"}
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


def test_somebody_without_an_account_is_reported_what_to_do(behind: Portal) -> None:
    answer = requests.get(f"{behind.url}/hub/proxy_login", headers=headers(behind, "somebody-else"))
    assert answer.status_code == 403
    assert "you have no account here yet" in plain_text(answer)


def test_both_ways_in_stand_on_the_login_page(behind: Portal) -> None:
    page = requests.get(f"{behind.url}/hub/login").text
    assert "/hub/proxy_login" in page
    assert "/hub/oauth_login" in page


# -- the secret itself, in a header of the site's own name ------------------------------------------------------------

LOGOUT = "/Shibboleth.sso/Logout?return={return_to}"


@pytest.fixture(scope="module")
def by_secret(sandbox_works: None) -> Iterator[Portal]:
    """A portal with a web server in front that sends the secret, as stock Apache can."""
    state = new_state()
    (state / "proxy-secret").write_text(SECRET)
    (state / "proxy-secret").chmod(0o600)
    (state / "umbrella.yaml").write_text(ACCOUNTS)
    options = {
        "issuer": ISSUER, "secret_file": str(state / "proxy-secret"), "proof_header": "X-Site-Key",
        "logout_url": LOGOUT,
    }  # fmt: skip
    portal = start_portal(
        state=state,
        more_config=f"c.UmbrellaAuthenticator.trusted_proxy = {options!r}\n"
        f"c.Facility.accounts_file = {str(state / 'umbrella.yaml')!r}\nc.JupyterHub.log_level = 'DEBUG'\n",
    )
    yield portal
    portal.stop()
    remove(portal)


def test_stock_apache_signs_somebody_in(by_secret: Portal) -> None:
    session = requests.Session()
    answer = session.get(f"{by_secret.url}/hub/proxy_login", headers={"X-Daas-Subject": HASH, "X-Site-Key": SECRET})
    assert "Anna Lindqvist" in answer.text
    policy = session.get(f"{by_secret.url}/hub/daas/sign-out").headers["Content-Security-Policy"]
    # browsers apply it to the redirects after the form: the web server may lead to the identity provider
    assert "form-action 'self' https://umbrellaid.org;" in policy
    signed_out = session.get(f"{by_secret.url}/hub/logout", allow_redirects=False)
    back = requests.utils.quote(f"{by_secret.url}/hub/logged-out", safe="")
    assert signed_out.headers["Location"] == LOGOUT.replace("{return_to}", back)


def test_no_error_writes_the_secret_into_the_log(by_secret: Portal) -> None:
    """After an error, JupyterHub logs every header; a database that is locked is one of many ways to have one."""
    statuses = []
    for path in ("/hub/proxy_login", "/hub/home", "/hub/api/user", "/hub/logout"):
        asked = {"X-Daas-Subject": HASH, "X-Site-Key": SECRET, "Cookie": "_shibsession_1=_5ess10n"}
        if not by_secret.database_url.startswith("sqlite:"):
            not_tried("only a SQLite database can be locked as a whole")
        other = sqlite3.connect(by_secret.state / "hub" / "jupyterhub.sqlite", timeout=5, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            # without the proxy in between as well
            for port in (by_secret.port, by_secret.port + 2):
                answer = requests.get(
                    f"http://127.0.0.1:{port}{path}", headers=asked, allow_redirects=False, timeout=60
                )
                statuses.append(answer.status_code)
        finally:
            other.execute("ROLLBACK")
            other.close()
    assert 500 in statuses
    assert by_secret.wait_for_log('"X-Site-Key": "[secret]"'), "the headers were logged"
    log = by_secret.log.read_text()
    assert SECRET not in log
    assert "5ess10n" not in log
    assert HASH not in "".join(line for line in log.splitlines() if "X-Daas-Subject" in line)


@pytest.mark.parametrize("sent", [{}, {"X-Daas-Subject": "(null)"}, {"X-Daas-Subject": f"{HASH};{HASH}"}])
def test_somebody_without_the_attribute_is_led_back(by_secret: Portal, sent: dict[str, str]) -> None:
    answer = requests.get(f"{by_secret.url}/hub/proxy_login", headers=sent | {"X-Site-Key": SECRET})
    assert answer.status_code == 403
    assert "attribute EAAHash" in plain_text(answer)
    back = requests.utils.quote(f"{by_secret.url}/hub/login", safe="")
    assert f'href="/Shibboleth.sso/Logout?return={back}"' in answer.text


def test_the_secret_from_elsewhere(by_secret: Portal) -> None:
    """What the portal's proxy appends counts: here, that the client is another machine."""
    sent = {"X-Daas-Subject": HASH, "X-Site-Key": SECRET, "X-Forwarded-For": "127.0.0.1, 192.0.2.7"}
    answer = requests.get(f"http://127.0.0.1:{by_secret.port + 2}/hub/proxy_login", headers=sent)
    assert answer.status_code == 403
    assert "192.0.2.7 is not one of the web_servers" in plain_text(answer)
