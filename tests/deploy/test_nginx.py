"""Debian's nginx with the block of the page, and TLS by an authority of our own, before a portal of `daas-hub init`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
import requests
from websockets.exceptions import InvalidStatus

from tests.deploy.site import BLOCK, NGINX, ROOT, Site, running_site
from tests.deploy.tls_websocket import TLSWebSocket
from tests.live_portal import Person
from tests.not_tried import missing

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module", params=["", "/daas"], ids=["own host", "below a path"])
def site(request: pytest.FixtureRequest, sandbox_works: None) -> Iterator[Site]:
    """The portal behind nginx."""
    if NGINX is None:
        missing("nginx", "nginx is not installed")
    failed_before = request.session.testsfailed
    with running_site(request.param) as running:
        yield running
        if request.session.testsfailed > failed_before:
            print(running.log_tails())  # shown with the failure


def page_of(person: Person, name: str) -> str:
    """Return the path of a session, as the portal's own address continues."""
    return f"/user/{person.name}/{name}/"


def screen_of(site: Site, person: Person, name: str, *, origin: str = "") -> TLSWebSocket:
    """Return a desktop's screen through nginx."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.session.cookies)
    address = f"wss://localhost:{site.https}{site.path}{page_of(person, name)}rfb"
    return TLSWebSocket(address, authority=str(site.authority), origin=origin or site.origin, cookies=cookies)


def test_the_page_shows_this_block() -> None:
    """What is tried here is what an administrator copies."""
    page = (ROOT / "docs" / "how-to" / "run-behind-a-proxy-with-tls.md").read_text()
    assert re.findall(r"```nginx\n(.*?)```", page, re.DOTALL) == [BLOCK.read_text()]


def test_plain_http_is_sent_on(site: Site) -> None:
    answer = requests.get(f"http://localhost:{site.http}/hub/login?next=x", allow_redirects=False, timeout=30)
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://localhost/hub/login?next=x"


def test_login_and_cookies(site: Site) -> None:
    """The whole way to the provider and back; every cookie of the portal is for https only."""
    person = site.portal.login("anna")
    assert "Anna Lindqvist" in person.get("/hub/home").text
    cookies = {cookie.name: cookie.secure for cookie in person.session.cookies if cookie.port is None}
    portal = {name: secure for name, secure in cookies.items() if name.startswith(("jupyterhub", "_xsrf"))}
    assert portal
    assert all(portal.values()), portal
    assert "Strict-Transport-Security" in person.get("/hub/home").headers


def test_a_desktop_opens_and_outlives_the_hub(site: Site) -> None:
    """One connection, open over a restart of the hub; then the new hub knows the session and stops it."""
    person = site.portal.login("anna")
    name = person.launch("terminal", proposal="MA-4242", visit="1")
    assert person.get(page_of(person, name)).status_code == 200
    with screen_of(site, person, name) as screen:
        assert screen.recv(timeout=30) == b"RFB 003.008\n"
        site.stop("hub")
        screen.send(b"RFB 003.008\n")
        # no password; the session's server has what follows already
        assert screen.recv(timeout=30).startswith(b"\x01\x01")
        site.start("hub")
    person = site.portal.login("anna")
    assert name in person.get("/hub/home").text
    assert person.get(f"{page_of(person, name)}status").json()["state"] == "running"
    assert person.stop(name).status_code == 303


def test_routes_come_back_after_a_restart_of_the_proxy(site: Site) -> None:
    """The proxy remembers nothing; the hub notices."""
    person = site.portal.login("anna")
    name = person.launch("terminal", proposal="MA-4242", visit="1")
    status = f"{page_of(person, name)}status"
    assert person.get(status).json()["state"] == "running"
    site.stop("proxy")
    site.start("proxy")
    until = time.monotonic() + 60
    while "json" not in person.get(status).headers["Content-Type"]:  # the proxy's, or the hub's page about it
        assert time.monotonic() < until
        time.sleep(0.5)
    assert person.get(status).json()["state"] == "running"
    person.stop(name)


def test_a_foreign_page_cannot_open_the_screen(site: Site) -> None:
    """nginx passes on Host and Origin as they are, so the session can compare them."""
    person = site.portal.login("anna")
    name = person.launch("terminal", proposal="MA-4242", visit="1")
    person.get(page_of(person, name))
    with pytest.raises(InvalidStatus) as refused, screen_of(site, person, name, origin="https://elsewhere.org"):
        pass
    assert refused.value.response.status_code == 403
    person.stop(name)


def test_a_large_upload_is_passed_on(site: Site) -> None:
    """2 MB, more than nginx lets through by itself (1 MB), into a notebook server."""
    person = site.portal.login("anna")
    name = person.launch("jupyterlab", proposal="MA-4242", visit="1")
    page = page_of(person, name)
    assert person.get(f"{page}lab").status_code == 200
    xsrf = next(str(one.value) for one in person.session.cookies if one.name == "_xsrf" and one.path.endswith(page))
    content = {"type": "file", "format": "text", "content": "x" * 2_000_000}
    address = f"{site.portal.url}{page}api/contents/large.txt"
    sent = person.session.put(address, json=content, headers={"X-XSRFToken": xsrf}, timeout=30)
    assert sent.status_code == 201, sent.text[:300]
    assert sent.json()["size"] == 2_000_000
    person.stop(name)


def test_what_a_browser_says_of_itself_is_thrown_away(site: Site) -> None:
    """X-Forwarded headers are nginx's own: nobody is in front of it."""
    said = {"X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "http", "Forwarded": "for=10.1.2.3"}
    mark = f"/hub/health?{time.monotonic_ns()}"
    assert requests.get(f"{site.portal.url}{mark}", headers=said, timeout=30).status_code == 200
    assert requests.get(f"{site.portal.url}/hub/no-such-page", headers=said, timeout=30).status_code in (403, 404)
    assert "10.1.2.3" not in (site.folder / "hub.log").read_text()


def test_a_proxy_with_another_token_is_said_in_a_sentence(site: Site) -> None:
    """After a new secret the proxy still has the old one: no traceback, and the hub does not run without routes."""
    site.stop("hub")
    config = site.folder / "etc" / "jupyterhub_config.py"
    text = config.read_text()
    config.write_text(f'{text}c.ConfigurableHTTPProxy.auth_token = "another"\n')
    try:
        with pytest.raises(AssertionError, match="does not accept this hub's token") as refused:
            site.start("hub")
        assert "CONFIGPROXY_AUTH_TOKEN" in str(refused.value)
        assert site.running.pop("hub").wait(30) == 1
        assert "Traceback" not in str(refused.value)
    finally:
        config.write_text(text)
        site.start("hub")
