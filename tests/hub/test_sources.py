"""A whole portal whose proposals come from a user office over HTTP: while it answers, while it does not, and after."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.live_portal import Portal, new_state, plain_text, remove, start_portal
from tests.stand_ins.calipsoplus import UserOffice, experiment
from tests.stand_ins.faults import FAULTS, SECRET, Handler
from tests.stand_ins.running import running_beside

pytestmark = pytest.mark.sandbox

#: Longer than a busy machine takes for three pages.
TIMEOUT_S = 8
CONFIG = """
c.Facility.proposals = ["calipsoplus", "groups"]
c.Facility.cache_s = 0
c.Facility.stale_cache_s = 3600
c.CalipsoplusProposals.url = "{url}/services/experiments/$USERNAME/"
c.CalipsoplusProposals.user = "portal"
c.CalipsoplusProposals.password_file = "{secret}"
c.CalipsoplusProposals.timeout_s = {TIMEOUT_S}
c.GroupProposals.pattern = "(?P<proposal>ls-[0-9]{{4}})"
c.GroupProposals.title = "Group {{proposal}}"
"""
DOWN = "The user office is not available at the moment."
GLASS = {"proposal_id": "MA-4242", "subject": "Roman glass <b>", "gid": "ma-4242", "sessions": []}


@dataclass
class Facility:
    """The portal, and its user office, which can be broken."""

    portal: Portal
    office: UserOffice
    fault: str = ""


@pytest.fixture(scope="module")
def facility(sandbox_works: None) -> Iterator[Facility]:
    visit = experiment(1)["sessions"][0] | {"session_number": "S7", "data_set_path": None}
    office = UserOffice(experiments={"anna": [experiment(1, **GLASS | {"sessions": [visit]})], "ben": []})
    app = office.app()
    running: list[Facility] = []

    @web.middleware
    async def sometimes_broken(request: web.Request, handler: Handler) -> Any:
        fault = running[0].fault if running else ""
        return await (FAULTS[fault][0](request) if fault else handler(request))

    app.middlewares.append(sometimes_broken)
    state = new_state()
    secret = Path(state) / "office-password"
    secret.touch(0o600)
    secret.write_text("portal-password\n")
    with running_beside(app) as url:
        portal = start_portal(state=state, more_config=CONFIG.format(url=url, secret=secret, TIMEOUT_S=TIMEOUT_S))
        running.append(Facility(portal, office))
        try:
            yield running[0]
        finally:
            portal.stop()
            remove(portal)


@pytest.fixture(autouse=True)
def mended(facility: Facility) -> Iterator[None]:
    facility.fault = ""
    yield
    facility.fault = ""


def launch(person: Any, proposal: str, visit: str) -> Any:
    name = f"linked-{secrets.token_hex(5)}"
    fields = {"application": "pymca", "proposal": proposal, "visit": visit, "session_name": name}
    return person.post("/hub/launch", fields)


def require_refused(person: Any, answer: Any, words: str) -> None:
    """Check that a launch is refused in these words: at once, or on the page of its progress."""
    assert answer.status_code == 403 or "/hub/sessions/linked-" in answer.url, answer.url
    until = time.monotonic() + 60
    while words not in plain_text(answer):
        assert answer.status_code != 403, plain_text(answer)
        assert time.monotonic() < until, plain_text(answer)
        time.sleep(0.2)
        answer = person.session.get(answer.url)


def page_with(person: Any, path: str, words: str, *, there: bool = True) -> str:
    """Look at a page until it says so, or until it no longer does; give its text."""
    until = time.monotonic() + 60
    while (words in (text := plain_text(person.get(path)))) is not there:
        assert time.monotonic() < until, text
        time.sleep(0.2)
    return text


def test_a_drop_in_for_the_old_portal(facility: Facility) -> None:
    """R16, AL52: nothing but configuration; what two sources know is on one page."""
    person = facility.portal.login("anna")
    home = plain_text(person.get("/hub/home"))
    assert "Roman glass <b>" in home or "Roman glass &lt;b&gt;" in home
    assert "Group ls-1007" in home
    assert "is not available" not in home
    page = plain_text(person.get("/hub/proposals/MA-4242"))
    assert "Visit S7" in page, "as the facility calls it"
    assert "does not answer" not in page


@pytest.mark.parametrize("fault", ["a page to sign in", "an error page", "the line cut"])
def test_a_user_office_that_is_down(facility: Facility, fault: str) -> None:
    """The old view with its age, no new rights, a clear word, one alarm."""
    person = facility.portal.login("anna")
    assert "Roman glass" in person.get("/hub/home").text
    alarms = facility.portal.log.read_text().count("the source of proposals is down")
    facility.fault = fault
    home = plain_text(person.get("/hub/home"))
    assert "Roman glass" in home
    assert f"{DOWN} The proposals below were loaded less than a minute ago." in home
    assert "Nothing can be launched on them until it responds again" in home
    assert "were loaded less than a minute ago" in plain_text(person.get("/hub/proposals/MA-4242"))
    require_refused(person, launch(person, "MA-4242", "7"), DOWN)
    assert person.get(f"/hub/api/users/{person.name}").json()["servers"] == {}
    log = facility.portal.log.read_text(errors="replace")
    assert log.count("the source of proposals is down") == alarms + 1
    assert SECRET not in log
    assert "portal-password" not in log
    facility.fault = ""
    page_with(person, "/hub/home", "is not available", there=False)
    assert facility.portal.wait_for_log("the source of proposals is up again")


def test_a_user_office_that_is_silent(facility: Facility) -> None:
    """The time limit for the first page, nothing for those after it; a launch says why it is refused."""
    person = facility.portal.login("anna")
    assert "Roman glass" in person.get("/hub/home").text
    facility.fault = "silence"
    assert "were loaded" in plain_text(person.get("/hub/home"))
    begun = time.monotonic()
    for _ in range(3):
        assert "were loaded" in plain_text(person.get("/hub/home"))
    assert time.monotonic() - begun < TIMEOUT_S
    page = launch(person, "MA-4242", "7").url.removeprefix(facility.portal.url)
    page_with(person, page, DOWN)
    facility.fault = ""
    page_with(person, "/hub/home", "were loaded", there=False)


def test_who_was_not_seen_before_sees_nothing(facility: Facility) -> None:
    """D7: an outage grants nobody anything, and does not say that there is nothing either."""
    facility.fault = "an error page"
    person = facility.portal.login("ben")
    home = person.get("/hub/home")
    assert home.status_code == 200
    text = plain_text(home)
    assert "The user office is not available at the moment. Please try again" in text
    assert "You have no proposals yet" not in text
    assert "Own resources" in text
    assert person.get("/hub/proposals/MA-4242").status_code == 503


def test_what_the_user_office_takes_back_is_gone_at_the_next_launch(facility: Facility) -> None:
    """D3, S19."""
    person = facility.portal.login("anna")
    assert person.get("/hub/proposals/MA-4242").status_code == 200
    kept = facility.office.experiments.pop("anna")
    try:
        require_refused(person, launch(person, "MA-4242", "7"), "no proposal MA-4242 among yours")
        assert person.get("/hub/proposals/MA-4242").status_code == 404
    finally:
        facility.office.experiments["anna"] = kept
