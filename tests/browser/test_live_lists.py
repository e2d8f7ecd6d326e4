"""Lists of sessions that are not updated say so, and mend themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SessionUser
from tests.browser.pages import flaws_of
from tests.browser.troubles import frozen
from tests.live_portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

STALE = "This list is not being updated: the portal does not respond."


def test_a_list_behind_a_frozen_network_says_so_and_mends_itself(
    portal: Portal, guest: Callable[..., SessionUser]
) -> None:
    """No connection closes: only the silence shows it."""
    anna = guest("anna")
    page = anna.page
    page.goto(f"{portal.url}/hub/home")
    page.evaluate("window.stays = true")
    notice = page.get_by_role("status").filter(has_text=STALE)
    # longer than the silence that counts as trouble
    page.wait_for_timeout(13_000)
    expect(notice).to_have_count(0)

    with frozen(portal):
        expect(notice).to_be_visible()
        anna.keep_picture("list-frozen")
        assert flaws_of(page) == []
    expect(notice).to_have_count(0)

    portal.login("anna").launch("terminal")
    card = page.locator("article.session")
    expect(card).to_contain_text("Terminal")
    assert page.evaluate("window.stays") is True
