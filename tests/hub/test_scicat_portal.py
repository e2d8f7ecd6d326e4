"""A whole portal on SciCat: ids with slashes, broken text, a person's unusable records, and a login that dies."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.live_portal import Portal, new_state, plain_text, remove, start_portal
from tests.stand_ins.running import running_beside
from tests.stand_ins.scicat import TOMCAT, SciCat, proposal

pytestmark = pytest.mark.sandbox

SLASH = "20.500.99999/2026-0123"
CONFIG = """
c.Facility.proposals = "scicat"
c.Facility.cache_s = 0
c.SciCatProposals.url = "{url}/api/v3"
c.SciCatProposals.user = "reader"
c.SciCatProposals.password_file = "{state}/scicat-password"
c.SciCatProposals.timeout_s = 5
c.MountRules.data_roots = ["{state}/raw"]
c.MountRules.data = ["{state}/raw/{{proposal}}/{{beamline}}"]
"""


@dataclass
class Facility:
    """The portal, and its catalogue, which can be changed."""

    portal: Portal
    scicat: SciCat


@pytest.fixture(scope="module")
def facility(sandbox_works: None) -> Iterator[Facility]:
    scicat = SciCat(
        proposals=[
            proposal(SLASH, "ma-4242", title="With a slash", MeasurementPeriodList=[], instrumentIds=[TOMCAT]),
            proposal("c2", "ma-4242", title="cut by the user office: \ud83d"),
            proposal("../c3", "ma-4242", title="An impossible id"),
            proposal("c4", "strangers", accessGroups=["ma-4242"]),
        ]
    )
    state = new_state()
    secret = state / "scicat-password"
    secret.touch(0o600)
    secret.write_text("portal-password\n")
    raw = state / "raw" / "20.500.99999+2026-0123" / "TOMCAT"
    raw.mkdir(parents=True)
    (raw / "scan.h5").write_text("data")
    with running_beside(scicat.app()) as url:
        portal = start_portal(state=state, more_config=CONFIG.format(url=url, state=state))
        try:
            yield Facility(portal, scicat)
        finally:
            portal.stop()
            remove(portal)


def test_broken_text_takes_no_page_down(facility: Facility) -> None:
    """Case 05: half a character in one title."""
    person = facility.portal.login("anna")
    for path in ("/hub/home", "/hub/proposals/c2", f"/hub/proposals/{SLASH}", "/hub/home?search=cut"):
        assert person.get(path).status_code == 200
    assert "cut by the user office: \ufffd" in person.get("/hub/proposals/c2").content.decode()
    assert facility.portal.wait_for_log("c2: its title lacks a part of a character")


def test_a_proposal_with_a_slash_is_a_proposal_everywhere(facility: Facility) -> None:
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


def test_what_cannot_be_used_is_shown_to_whom_it_belongs(facility: Facility) -> None:
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


def test_a_login_that_scicat_forgot(facility: Facility) -> None:
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
