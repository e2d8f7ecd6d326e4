"""Links from outside, followed in a whole portal: through the login, asked about anew, and nothing starts (DI16)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from tests.live_portal import Portal, new_state, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

CONFIG = """
c.Facility.visit_url = "https://synchweb.example.org/dc/visit/{proposal}-{visit}"
"""


@pytest.fixture(scope="module")
def linked(sandbox_works: None) -> Iterator[Portal]:
    portal = start_portal(state=new_state(), more_config=CONFIG)
    yield portal
    portal.stop()
    remove(portal)


def servers_of(portal: Portal, subject: str) -> object:
    person = portal.login(subject)
    return person.get(f"/hub/api/users/{person.name}").json()["servers"]


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("proposal=MA-4242&visit=2", "/hub/proposals/MA-4242#visit-2"),
        ("proposal=ma-4242&visit=2", "/hub/proposals/MA-4242#visit-2"),
        ("visit=MA-4242-2", "/hub/proposals/MA-4242#visit-2"),
        ("proposal=MA-4242&session=1", "/hub/proposals/MA-4242#visit-1"),
        ("proposal=MA-4242", "/hub/proposals/MA-4242"),
        ("proposal=MA-4242&visit=2&app=pymca", "/hub/launch?proposal=MA-4242&visit=2&application=pymca"),
        (
            "visits=MA-4242-2,LS-1007-1&app=terminal",
            "/hub/launch?visits=2%3AMA-4242&visits=1%3ALS-1007&application=terminal",
        ),
        ("visits=MA-4242-2", "/hub/proposals/MA-4242#visit-2"),
    ],
)
def test_a_link_leads_to_the_visit(linked: Portal, query: str, address: str) -> None:
    person = linked.login("anna")
    before = servers_of(linked, "anna")
    answer = person.get(f"/hub/daas/open?{query}", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, address)
    page = person.get(f"/hub/daas/open?{query}")
    assert page.status_code == 200
    assert "MA-4242" in plain_text(page)
    assert servers_of(linked, "anna") == before, "E1: a GET starts nothing"


def test_a_link_survives_the_login(linked: Portal) -> None:
    """Who is not signed in arrives where the link leads, after the provider's page."""
    session = requests.Session()
    first = session.get(f"{linked.url}/hub/daas/open?proposal=MA-4242&visit=2&app=pymca")
    assert "/hub/login" in first.url
    assert "next=" in first.url
    begin = re.search(r'href="([^"]*oauth_login[^"]*)"', first.text)
    assert begin is not None
    form = session.get(f"{linked.url}{begin[1].replace('&amp;', '&')}")
    page = session.post(form.url, data={"sub": "anna"})
    assert page.url.endswith("/hub/launch?proposal=MA-4242&visit=2&application=pymca")
    assert "Nothing has started yet" in page.text
    assert re.search(r'value="pymca" required checked', page.text)


def test_no_member_and_no_proposal_are_the_same_page(linked: Portal) -> None:
    """D1: nothing is told about somebody else's, and there is a next step."""
    person = linked.login("ben")
    foreign, unknown = (
        person.get(f"/hub/daas/open?proposal={one}&visit=1&app=pymca") for one in ("LS-1007", "XX-9999")
    )
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert plain_text(foreign) == plain_text(unknown)
    assert "user office can add you" in plain_text(foreign)
    assert "LS-1007" not in foreign.text
    titles = plain_text(linked.login("anna").get("/hub/proposals/LS-1007"))
    assert "Proposal LS-1007" in titles
    assert person.get("/hub/daas/open?visit=LS-1007-1").status_code == 404
    assert person.get("/hub/daas/open?visits=MA-4242-2,LS-1007-1").status_code == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("visit=//evil.example", 400),
        ("visit=https:%2f%2fevil.example", 400),
        ("proposal=javascript:alert(1)", 400),
        ("visit=a%0d%0aLocation:%20https://evil.example", 400),
        ("proposal=MA-4242&proposal=MA-4242", 400),
        ("proposal=" + "x" * 2000, 400),
        ("proposal=%EF%BC%ADA-4242", 400),
        ("proposal=%ff", 400),
        ("visits=MA-4242-2,//evil.example", 400),
        ("visits=MA-4242-2,LS-1007-1&visit=MA-4242-1", 400),
        ("proposal=MA-4242&visit=2&app=%2e%2e%2fx", 400),
        ("proposal=MA-4242&next=//evil.example&url=//evil.example", 302),
    ],
)
def test_hostile_links(linked: Portal, query: str, status: int) -> None:
    """E1, C5, C6: nothing of it is an address, a header or markup, and nobody is led to another host."""
    answer = linked.login("anna").get(f"/hub/daas/open?{query}", allow_redirects=False)
    assert answer.status_code == status
    assert "evil.example" not in str(answer.headers)
    assert "evil.example" not in answer.text
    assert "alert(1)" not in answer.text
    if status == 302:
        assert answer.headers["Location"] == "/hub/proposals/MA-4242"


def test_a_visit_links_to_its_page_elsewhere(linked: Portal) -> None:
    page = linked.login("anna").get("/hub/proposals/MA-4242").text
    assert '<a href="https://synchweb.example.org/dc/visit/MA-4242-2" rel="noopener noreferrer">' in page
