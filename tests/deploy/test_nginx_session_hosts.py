"""Debian's nginx with the block of the page before a portal whose sessions have host names of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from tests.deploy.site import NGINX, Site, running_site
from tests.deploy.tls_websocket import TLSWebSocket
from tests.live_portal import Person
from tests.names_here import NAME
from tests.not_tried import missing

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module", params=["", "/daas"], ids=["own host", "below a path"])
def site(request: pytest.FixtureRequest, sandbox_works: None) -> Iterator[Site]:
    """The portal behind nginx, with sessions below its name."""
    if NGINX is None:
        missing("nginx", "nginx is not installed")
    failed_before = request.session.testsfailed
    with running_site(request.param, host=NAME) as running:
        yield running
        if request.session.testsfailed > failed_before:
            print(running.log_tails())  # shown with the failure


def address_of(person: Person) -> str:
    """Return where the home page says that the only session is."""
    link = rf"https://s-[0-9a-f]{{24}}\.{re.escape(NAME)}[^\"]*/user/[^\"]*"
    (found,) = set(re.findall(link, person.get("/hub/home").text))
    return found


def screen_at(site: Site, person: Person, address: str, origin: str) -> TLSWebSocket:
    """Return a desktop's screen through nginx, with the cookies that a browser sends to its name."""
    cookies = "; ".join(
        f"{one.name}={one.value}" for one in person.session.cookies if one.domain == urlsplit(address).hostname
    )
    screen = f"{address.replace('https:', 'wss:', 1)}rfb"
    return TLSWebSocket(screen, authority=str(site.authority), origin=origin, cookies=cookies)


def test_a_session_is_reached_under_its_own_name(site: Site) -> None:
    """Its page after the way through the hub's login, and its screen, which no page of the portal's name opens."""
    person = site.portal.login("anna")
    name = person.launch("terminal", proposal="MA-4242", visit="1")
    address = address_of(person)
    assert urlsplit(address).path.startswith(f"{site.path}/user/")
    page = person.session.get(address, timeout=30)
    assert page.status_code == 200
    assert page.url == address, "back from the login, under the same name"
    assert all(one.secure for one in person.session.cookies if one.domain.startswith("s-"))
    with screen_at(site, person, address, f"https://{urlsplit(address).netloc}") as screen:
        assert screen.recv(timeout=30) == b"RFB 003.008\n"
    with pytest.raises(InvalidStatus) as refused, screen_at(site, person, address, site.origin):
        pass
    assert refused.value.response.status_code == 403
    assert person.stop(name).status_code == 303


def test_no_cookie_of_the_portal_is_sent_to_a_session(site: Site) -> None:
    """None of its cookies is for all names below it, but the one that only tells logins apart."""
    person = site.portal.login("anna")
    wide = {one.name for one in person.session.cookies if one.domain.startswith(".")}
    assert wide <= {"jupyterhub-session-id"}
    assert {one.name for one in person.session.cookies} > wide
