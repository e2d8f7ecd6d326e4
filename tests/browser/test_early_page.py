"""The page of a desktop in Chromium while its session starts: it waits with words, or leads to the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SessionUser
from tests.live_portal import Portal
from tests.session_programs import choose, portal_with_programs

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal whose sessions run what a test chooses."""
    yield from portal_with_programs()


def test_it_waits_for_a_slow_session(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    page = anna.page
    choose(portal, "slow")
    anna.launch("Terminal", "MA-4242")
    expect(page.locator("#veil-words")).to_have_text("Connecting to Terminal …")
    assert urlsplit(page.url).path.startswith("/user/"), "the address is the session's"
    # not for a session that is quick
    expect(page.locator("#veil .card")).to_have_css("opacity", "1")
    anna.keep_picture("early-page")
    (portal.state / "tools" / "go").touch()
    anna.wait_for_picture()
    anna.require_quiet()


@pytest.mark.parametrize(
    ("program", "words"),
    [("dying", "The session ended before it was ready."), ("silent", "The session did not respond")],
)
def test_a_session_that_does_not_start_leads_to_the_reason(
    guest: Callable[..., SessionUser], portal: Portal, program: str, words: str
) -> None:
    anna = guest("anna")
    choose(portal, program)
    anna.launch("Terminal", "MA-4242")
    expect(anna.page.get_by_text(words)).to_be_visible(timeout=60_000)
    assert urlsplit(anna.page.url).path.startswith("/hub/sessions/")
    expect(anna.page.get_by_role("button", name="Launch")).to_be_visible()


def test_a_browser_that_closes_the_connection_when_people_leave_does_not_bring_them_back(
    guest: Callable[..., SessionUser], portal: Portal
) -> None:
    """As Firefox does, before it has left the page: loading it again would replace where they go."""
    anna = guest("anna")
    page = anna.page
    choose(portal, "silent")
    anna.launch("Terminal", "MA-4242")
    expect(page.locator("#veil-words")).to_have_text("Connecting to Terminal …")
    page.evaluate("dispatchEvent(new Event('beforeunload'))")
    # the session ends, and the connection with it
    expect(page.locator("#veil-words")).to_have_text("This session is no longer running.", timeout=60_000)
    assert page.evaluate("document.documentElement.dataset.address")


def test_a_browser_that_does_not_keep_the_cookie_of_the_screen_signs_in(
    guest: Callable[..., SessionUser], portal: Portal
) -> None:
    """RFC 6265 lets browsers ignore cookies of responses like 101."""
    anna = guest("anna")
    page = anna.page
    page.route("**/status", lambda route: route.fulfill(status=403), times=1)
    choose(portal, "slow")
    (portal.state / "tools" / "go").touch()
    anna.launch("Terminal", "MA-4242")
    page.wait_for_selector('html[data-frame="1"]:not([data-address])', state="attached")
    expect(page.locator("#state")).to_have_text("Connected")
