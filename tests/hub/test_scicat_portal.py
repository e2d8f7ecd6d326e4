"""A whole portal on SciCat: ids with slashes, broken text, a person's unusable records, and a login that dies."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.hub.scicat_portal import SLASH, ScicatSite, scicat_site
from tests.live_portal import plain_text

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def facility(sandbox_works: None) -> Iterator[ScicatSite]:
    with scicat_site() as running:
        yield running


def test_broken_text_takes_no_page_down(facility: ScicatSite) -> None:
    """Case 05: half a character in one title."""
    person = facility.portal.login("anna")
    for path in ("/hub/home", "/hub/proposals/c2", f"/hub/proposals/{SLASH}", "/hub/home?search=cut"):
        assert person.get(path).status_code == 200
    assert "cut by the user office: \ufffd" in person.get("/hub/proposals/c2").content.decode()
    assert facility.portal.wait_for_log("c2: its title lacks a part of a character")


def test_a_proposal_with_a_slash_is_a_proposal_everywhere(facility: ScicatSite) -> None:
    """Case 17: on pages, in links, at a launch, in a session and in its directory."""
    person = facility.portal.login("anna")
    home = person.get("/hub/home").text
    assert f'href="/hub/proposals/{SLASH}"' in home
    assert "With a slash" in home
    page = person.get(f"/hub/proposals/{SLASH}")
    assert page.status_code == 200
    assert "TOMCAT" in plain_text(page)
    assert person.get(f"/hub/proposals/{SLASH.replace('/', '%2F')}").status_code == 200
    found = person.get(f"/hub/daas/open?proposal={SLASH}", allow_redirects=False)
    assert found.headers["Location"].endswith(f"/hub/proposals/{SLASH}")
    name = person.launch("pymca", proposal=SLASH, visit="1")
    try:
        card = plain_text(person.get(f"/hub/proposals/{SLASH}"))
        assert "PyMca" in card
        assert SLASH in plain_text(person.get(f"/hub/sessions/{name}"))
    finally:
        person.stop(name)
    processed = facility.portal.state / "processed" / "20.500.99999+2026-0123"
    assert processed.is_dir(), "one directory, whatever the id"
    for path in (f"/hub/proposals/{SLASH}/", "/hub/proposals/20.500.99999", "/hub/proposals/20.500.99999/../c2"):
        assert person.get(path).status_code in (200, 404)
        assert "With a slash" not in person.get(path).text


def test_what_cannot_be_used_is_shown_to_whom_it_belongs(facility: ScicatSite) -> None:
    person = facility.portal.login("anna")
    home = plain_text(person.get("/hub/home"))
    assert "Some of your records cannot be used." in home
    assert "../c3 : its id cannot be used by this portal" in home
    assert "c4 : its group &#39;strangers&#39; is not one of the account&#39;s groups" in home
    missing = person.get("/hub/proposals/c4")
    assert missing.status_code == 404
    assert "Proposal c4 cannot be shown: its group" in plain_text(missing)
    assert "strangers" not in plain_text(facility.portal.login("dora").get("/hub/home"))
    log = facility.portal.log.read_text()
    assert "scicat: c4 was left out: its group 'strangers' is not one of the account's groups" in log
    assert "scicat: a record has no usable id: '../c3'" in log


def test_a_login_that_scicat_forgot(facility: ScicatSite) -> None:
    """It answers 200 and an empty list: people keep their proposals, and a login that stays dead is an outage."""
    person = facility.portal.login("anna")
    logins = facility.scicat.logins
    facility.scicat.tokens.clear()
    assert "With a slash" in person.get("/hub/home").text
    assert facility.scicat.logins == logins + 1
    facility.scicat.tokens.clear()
    facility.scicat.password = "changed"
    try:
        home = plain_text(person.get("/hub/home"))
        assert "The data catalogue is not available at the moment. The proposals below were loaded" in home
        fields = {"application": "pymca", "proposal": "c2", "session_name": f"x-{secrets.token_hex(5)}"}
        assert person.post("/hub/launch", fields).status_code in (403, 503)
    finally:
        facility.scicat.password = "portal-password"
    assert "With a slash" in person.get("/hub/home").text
