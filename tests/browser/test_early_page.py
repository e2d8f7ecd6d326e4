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
