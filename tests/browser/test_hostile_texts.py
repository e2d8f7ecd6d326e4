"""Texts of proposals, accounts, the catalogue and requests stay text on every page that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
import yaml
from playwright.sync_api import Browser

from tests.browser.conftest import SessionUser, visitors
from tests.browser.payloads import PAYLOADS
from tests.live_portal import Portal, new_state, remove, start_portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.timeout(300)]

#: Where a request's own text may come back.
REFLECTING = (
    "/hub/home?search={}",
    "/hub/home?sort={}",
    "/hub/home?page={}",
    "/hub/proposals/{}",
    "/hub/sessions/{}",
    "/hub/daas/open?proposal={}",
    "/hub/daas/open?proposal=P-0000&visit={}",
    "/hub/daas/open?proposal=P-0000&application={}",
    "/hub/error/503?url={}",
    "/hub/oauth_callback?error={}",
    "/hub/login?username={}",
    "/hub/{}",
    "/user/{}/",
)


def text(number: int) -> str:
    return PAYLOADS[number % len(PAYLOADS)]


def proposals() -> dict[str, object]:
    """Return one proposal for each text, which has it in each field that a page shows."""
    return {
        "proposals": [
            {
                "id": f"P-{number:04}",
                "title": text(number),
                "abstract": text(number + 1),
                "beamlines": [text(number + 2)],
                "members": ["anna"],
                "gid": 26001,
                "visits": [{"number": 1, "title": text(number + 3), "data": ["/usr/share/pymca"]}],
            }
            for number in range(len(PAYLOADS))
        ]
    }


@pytest.fixture(scope="module")
def hostile(sandbox_works: None) -> Iterator[Portal]:
    """A portal all of whose texts are hostile."""
    state = new_state()
    applications = state / "applications"
    applications.mkdir()
    for number in range(len(PAYLOADS)):
        lines = {"name": f"a{number}", "title": text(number)[:80], "description": text(number + 1)}
        file = applications / f"a{number}.yaml"
        file.write_text(yaml.safe_dump(lines | {"kind": "desktop", "command": ["sleep", "300"]}))
    file = state / "proposals.yaml"
    file.write_text(yaml.safe_dump(proposals()))
    running = start_portal(applications, state=state, more_config=f"c.Facility.proposals_file = {str(file)!r}")
    accounts = state / "hub" / "accounts.yaml"
    accounts.write_text(accounts.read_text().replace("Anna Lindqvist", "Anna <img src=x onerror=window.ran=1>"))
    try:
        yield running
    finally:
        running.stop()
        remove(running)


@pytest.fixture
def anna(browser: Browser, hostile: Portal) -> Iterator[SessionUser]:
    """Anna, signed in, who would notice a dialog."""
    with visitors(browser, hostile) as arrive:
        person = arrive()
        person.page.on("dialog", lambda dialog: person.complaints.append(f"dialog: {dialog.message}"))
        person.login("anna")
        yield person


def texts_of(person: SessionUser, selector: str) -> set[str]:
    return {" ".join(one.split()) for one in person.page.locator(selector).all_text_contents()}


def require_harmless(person: SessionUser) -> None:
    assert person.page.evaluate("window.ran") is None
    person.require_quiet()


def normal(words: str) -> str:
    return " ".join(words.split())


def test_the_list_of_proposals(anna: SessionUser) -> None:
    titles: set[str] = set()
    anna.page.goto(f"{anna.portal.url}/hub/home")
    while True:
        titles |= texts_of(anna, "table.proposals td.title a")
        require_harmless(anna)
        following = anna.page.get_by_role("link", name="Next")
        if not following.count():
            break
        following.first.click()
        anna.page.wait_for_load_state()
    assert {normal(one) for one in PAYLOADS} - titles == set()
    assert "<img src=x" in anna.page.locator("body").inner_text(), "the name is shown as it is"


@pytest.mark.parametrize("number", range(0, len(PAYLOADS), 4))
def test_the_page_of_a_proposal(anna: SessionUser, number: int) -> None:
    """Abstract, visits, and the whole catalogue with its descriptions."""
    for one in range(number, min(number + 4, len(PAYLOADS))):
        anna.page.goto(f"{anna.portal.url}/hub/proposals/P-{one:04}")
        words = normal(anna.page.locator("main").text_content() or "")
        for shown in (text(one), text(one + 1), text(one + 2), text(one + 3), text(one + 30)[:80]):
            assert normal(shown) in words
        require_harmless(anna)


@pytest.mark.parametrize("address", REFLECTING)
def test_what_a_request_says(anna: SessionUser, address: str) -> None:
    for payload in PAYLOADS[::3]:
        anna.page.goto(anna.portal.url + address.format(quote(payload, safe="")), wait_until="domcontentloaded")
        assert anna.page.evaluate("window.ran") is None
    hosts = {url.split("/")[2] for url in anna.requests if url.startswith("http")}
    assert all(host.startswith("127.0.0.1:") for host in hosts), hosts
    assert [one for one in anna.complaints if "dialog" in one or "Refused" in one] == []
