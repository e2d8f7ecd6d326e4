"""Debian's Apache with the blocks of the page, and mod_shib, before a portal of `daas-hub init`.

SimpleSAMLphp is the identity provider. The same below a path takes as long again: it is one of `make test-servers`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from playwright.sync_api import Browser, expect
from websockets.exceptions import InvalidStatus

from tests.browser.conftest import browser, stop_first
from tests.browser.pages import CONTRAST
from tests.deploy import saml_walk
from tests.deploy.shibboleth import APACHE, ShibbolethSite, require_installed
from tests.deploy.site import ROOT, Site, running_site
from tests.deploy.tls_websocket import TLSWebSocket
from tests.live_portal import Person, free_ports, plain_text
from tests.stand_ins.identity_provider import HASH

__all__ = ["browser"]
pytestmark = pytest.mark.sandbox

#: A program of a session that prints the headers it got.
PRINTER = """\
import http.server, json, sys
class Printer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.headers.items()).encode())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Printer).serve_forever()
"""


@pytest.fixture(
    scope="module",
    params=[pytest.param("", id="own host"), pytest.param("/daas", id="below a path", marks=pytest.mark.servers)],
)
def site(request: pytest.FixtureRequest, sandbox_works: None) -> Iterator[ShibbolethSite]:
    """The portal behind Apache."""
    require_installed()
    failed_before = request.session.testsfailed
    with running_site(request.param, ShibbolethSite) as running:
        assert isinstance(running, ShibbolethSite)
        yield running
        if request.session.testsfailed > failed_before:
            print(running.log_tails())


@pytest.fixture
def anna(site: ShibbolethSite) -> Person:
    """Somebody whom the identity provider knows with the attribute, signed in."""
    person = site.sign_in("anna")
    assert "Anna Lindqvist" in person.answer.text, plain_text(person.answer)
    return person


def page_of(person: Person, name: str) -> str:
    """Return the path of a session, as the portal's own address continues."""
    return f"/user/{person.name}/{name}/"


def cookies_of(person: Person) -> str:
    """Return what a browser sends: for every path, and the cookies of the identity provider as well."""
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.session.cookies)


def websocket(site: Site, person: Person, path: str, *, origin: str = "") -> TLSWebSocket:
    """Return a WebSocket through Apache."""
    address = f"wss://localhost:{site.https}{site.path}{path}"
    cookies = cookies_of(person)
    return TLSWebSocket(address, authority=str(site.authority), origin=origin or site.origin, cookies=cookies)


def test_the_page_shows_these_files() -> None:
    """What is tried here is what an administrator copies."""
    page = (ROOT / "docs" / "how-to" / "login-umbrella-through-a-web-server.md").read_text()
    blocks = [(APACHE / name).read_text() for name in ("daas-hub-shibboleth.conf", "daas-hub.conf")]
    assert re.findall(r"```apache\n(.*?)```", page, re.DOTALL) == blocks
    assert re.findall(r"```xml\n(.*?)```", page, re.DOTALL) == [(APACHE / "attribute-map.xml").read_text()]


def test_plain_http_is_sent_on(site: ShibbolethSite) -> None:
    answer = requests.get(f"http://localhost:{site.http}/hub/login?next=x", allow_redirects=False, timeout=30)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"{site.origin}/hub/login?next=x"


def test_every_cookie_is_for_https_only(site: ShibbolethSite, anna: Person) -> None:
    cookies = {cookie.name: cookie.secure for cookie in anna.session.cookies if cookie.domain == "localhost.local"}
    assert {"jupyterhub-session-id", "jupyterhub-hub-login", "_xsrf"} <= {*cookies}
    assert any(name.startswith("_shibsession_") for name in cookies)
    assert all(cookies.values()), cookies
    assert "Strict-Transport-Security" in anna.get("/hub/home").headers


def test_a_desktop_and_its_screen(site: ShibbolethSite, anna: Person) -> None:
    name = anna.launch("terminal", proposal="MA-4242", visit="1")
    assert anna.get(page_of(anna, name)).status_code == 200
    with websocket(site, anna, f"{page_of(anna, name)}rfb") as screen:
        assert screen.recv(timeout=30) == b"RFB 003.008\n"
    with (
        pytest.raises(InvalidStatus) as refused,
        websocket(site, anna, f"{page_of(anna, name)}rfb", origin="https://elsewhere.org"),
    ):
        pass
    assert refused.value.response.status_code == 403
    anna.stop(name)


def test_a_sessions_own_server_gets_nothing_of_the_web_server(site: ShibbolethSite, anna: Person) -> None:
    """A notebook, a terminal in it (its WebSocket, too), and a program there that prints what it received."""
    home = site.folder / "state" / "homes" / "alindqvist"
    name = anna.launch("jupyterlab", proposal="MA-4242", visit="1")
    (home / "printer.py").write_text(PRINTER)
    os.chmod(home / "printer.py", 0o644)
    page, port = page_of(anna, name), free_ports(1)
    assert anna.get(f"{page}lab").status_code == 200
    xsrf = next(str(one.value) for one in anna.session.cookies if one.name == "_xsrf" and one.path.endswith(page))
    token, large = {"X-XSRFToken": xsrf}, {"type": "file", "format": "text", "content": "x" * 2_000_000}
    sent = anna.session.put(f"{site.portal.url}{page}api/contents/large.txt", json=large, headers=token, timeout=30)
    assert sent.status_code == 201, "uploads are passed on"
    made = anna.session.post(f"{site.portal.url}{page}api/terminals", headers=token, timeout=30)
    assert made.status_code == 200, made.text[:300]
    with websocket(site, anna, f"{page}terminals/websocket/{made.json()['name']}") as terminal:
        terminal.send(json.dumps(["stdin", f"python3 ~/printer.py {port} &\r"]))
        until, answer = time.monotonic() + 30, None
        while answer is None or answer.status_code != 200:
            assert time.monotonic() < until, answer and answer.text[:300]
            time.sleep(0.2)
            forged = {"Cookie": cookies_of(anna), "X-Daas-Proof": "forged", "X-Daas-Subject": "forged"}
            answer = requests.get(f"{site.portal.url}{page}proxy/{port}/", headers=forged, timeout=20)
    received = {key.lower(): value for key, value in answer.json()}
    assert "jupyterhub-session-id=" in received["cookie"], "the portal's own arrive"
    assert not re.search("shib|SimpleSAML|opensaml", received["cookie"]), received["cookie"]
    assert not [key for key in received if "daas" in key or "eaahash" in key]
    assert (site.folder / "proxy-secret").read_text() not in answer.text
    anna.stop(name)


def test_a_client_cannot_say_who_it_is(site: ShibbolethSite) -> None:
    """The web server replaces both headers; without its own login it sends everybody to the identity provider."""
    said = {"X-Daas-Subject": HASH, "X-Daas-Proof": "0" * 64, "EAAHash": HASH, "X_Daas_Subject": HASH}
    for path in ("/hub/proxy_login", "//hub/proxy_login", "/hub/./proxy_login", "/hub/%70roxy_login"):
        answer = requests.get(f"{site.portal.url}{path}", headers=said, allow_redirects=False, timeout=30)
        assert answer.status_code in (302, 403, 404), path
        assert urlsplit(answer.headers.get("Location", "")).netloc in (urlsplit(site.idp.address).netloc, "")
        assert not [one for one in answer.cookies if one.name == "jupyterhub-hub-login"]
    assert (
        requests.get(f"{site.portal.url}/hub/home", headers=said, allow_redirects=False, timeout=30).status_code == 302
    )


def test_signing_out_ends_both_logins_and_the_identity_providers(site: ShibbolethSite, anna: Person) -> None:
    page = anna.get("/hub/logout", timeout=30)
    assert page.url.startswith(f"{site.portal.url}/hub/logged-out"), page.url
    assert "signed out" in plain_text(page).lower()
    assert anna.session.get(f"{site.portal.url}/hub/home", allow_redirects=False).status_code == 302
    page = anna.get("/hub/proxy_login")
    assert 'name="password"' in page.text, "the identity provider asks again"


@pytest.mark.parametrize("name", ["ben", "two"])
def test_somebody_without_the_attribute_can_sign_in_as_another(site: ShibbolethSite, name: str) -> None:
    person = site.sign_in(name)
    assert person.answer.status_code == 403
    assert "attribute EAAHash" in plain_text(person.answer)
    link = re.search(r'<a class="button" href="([^"]*)">Sign in again</a>', person.answer.text)
    assert link
    page = person.session.get(urljoin(person.answer.url, link[1].replace("&amp;", "&")), timeout=30)
    assert page.url == f"{site.portal.url}/hub/login"
    assert "/hub/proxy_login" in page.text
    again = site.sign_in("anna", person.session)
    assert "Anna Lindqvist" in again.answer.text


def test_shibboleths_own_addresses_are_its_own(site: ShibbolethSite) -> None:
    metadata = requests.get(f"{site.origin}/Shibboleth.sso/Metadata", timeout=30)
    assert f'entityID="{site.origin}/shibboleth"' in metadata.text


def raw(site: Site, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    """Send a request exactly as it is written."""
    trust = ssl.create_default_context(cafile=site.authority)
    with contextlib.closing(http.client.HTTPSConnection("localhost", site.https, context=trust, timeout=20)) as line:
        line.putrequest(method, f"{site.path}{path}")
        for name, value in headers.items():
            line.putheader(name, value)
        line.endheaders()
        answer = line.getresponse()
        answer.body = answer.read()  # type: ignore[attr-defined]
        return answer


def test_an_id_with_a_slash_reaches_the_portal(site: ShibbolethSite, anna: Person) -> None:
    answer = raw(site, "GET", "/hub/proposals/20.500%2F12269", Cookie=cookies_of(anna))
    assert b"Apache" not in answer.body  # type: ignore[attr-defined]
    assert answer.getheader("X-JupyterHub-Version")


def test_what_a_browser_says_of_itself_is_thrown_away(site: ShibbolethSite) -> None:
    said = {
        "X-Forwarded-For": "10.1.2.3",
        "X-Forwarded-Proto": "http",
        "X-Real-IP": "10.1.2.3",
        "Forwarded": "for=10.1.2.3",
    }
    assert requests.get(f"{site.portal.url}/hub/no-such-page", headers=said, timeout=30).status_code in (403, 404)
    assert "10.1.2.3" not in (site.folder / "hub.log").read_text()


def test_no_log_has_the_secret(site: ShibbolethSite, anna: Person) -> None:
    secret = (site.folder / "proxy-secret").read_text()
    for log in [*site.folder.glob("*.log"), *site.folder.glob("*/*.log")]:
        assert secret not in log.read_text(errors="replace"), log.name


@pytest.mark.browser
def test_signed_in_with_chromium_up_to_a_desktop(site: ShibbolethSite, browser: Browser) -> None:
    """Scripts of the identity provider post its answer; the screen comes over a WebSocket through Apache."""
    with saml_walk.visitor(browser, site, width=1280, scheme="light") as anna:
        page, sockets = anna.page, []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto(f"{site.portal.url}/hub/login")
        anna.keep_picture("saml-login")
        saml_walk.sign_in(page, site, "anna")
        expect(page.get_by_role("heading", name="Welcome, Anna Lindqvist")).to_be_visible()
        anna.launch("Terminal", "MA-4242")
        anna.wait_for_picture()
        assert [one for one in sockets if one.startswith(f"wss://localhost:{site.https}") and "/rfb?" in one]
        page.wait_for_timeout(1000)
        anna.keep_picture("saml-session")
        assert [one for one in anna.complaints if site.idp.address not in one] == []
        page.goto(f"{site.portal.url}/hub/home")
        stop_first(page)
        expect(page.locator("article.session")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "width", "scheme"), [("ben", 1280, "light"), ("ben", 390, "dark"), ("two", 390, "light")]
)
def test_without_the_attribute_chromium_shows_a_page_that_leads_on(
    site: ShibbolethSite, browser: Browser, name: str, width: int, scheme: str
) -> None:
    """It names the attribute, can be read, and its button signs in somebody else."""
    with saml_walk.visitor(browser, site, width=width, scheme=scheme) as person:
        page = person.page
        saml_walk.sign_in(page, site, name)
        expect(page.get_by_role("heading", name="You could not be signed in")).to_be_visible()
        expect(page.locator("main")).to_contain_text("attribute EAAHash")
        person.keep_picture(f"saml-no-attribute-{name}-{width}")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("link", name="Sign in again").click()
        expect(page.get_by_role("link", name="UmbrellaID")).to_be_visible()
        saml_walk.sign_in(page, site, "anna")
        expect(page.get_by_role("heading", name="Welcome, Anna Lindqvist")).to_be_visible()
