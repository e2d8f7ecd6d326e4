"""The whole portal by keyboard alone: sign in, filter, launch, open, leave the canvas, stop, sign out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SessionUser
from tests.browser.pages import flaws_of
from tests.browser.troubles import leave_by_keyboard
from tests.browser.windows import Screen
from tests.live_portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

#: More than any page has before what is looked for.
MAX_TABS = 60


def tab_to(page: Page, words: str) -> None:
    """Press Tab until what has the focus is called so; it must be in sight, and seen to have the focus."""
    focused = page.locator(":focus")
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        if focused.count() == 0:
            continue
        name = focused.evaluate("element => element.labels?.[0]?.innerText || element.innerText")
        if name and words in " ".join(name.split()):
            expect(focused).to_be_in_viewport()
            assert focused.evaluate("element => element.matches(':focus-visible')")
            return
    raise AssertionError(f"no {words!r} within {MAX_TABS} presses of Tab on {page.url}")


def press(page: Page, words: str) -> None:
    tab_to(page, words)
    page.keyboard.press("Enter")


def test_the_portal_by_keyboard_alone(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest()
    page = anna.page
    page.goto(portal.url)
    press(page, "Sign in with")
    page.wait_for_url("**/authorize**")
    press(page, "Anna Lindqvist")
    expect(page.get_by_role("heading", name="Welcome, Anna Lindqvist")).to_be_visible()

    tab_to(page, "Search in number")
    page.keyboard.type("roman glass")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("1 of")
    press(page, "Trace elements")
    press(page, "Launch Terminal")
    anna.wait_for_picture()
    screen = Screen("Terminal, MA-4242 visit 2")
    screen.wait_for_window("LXTerminal")
    assert flaws_of(page) == []

    # the canvas takes Tab, until the three keys leave it
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"
    leave_by_keyboard(page)
    assert flaws_of(page) == []
    press(page, "Back to the portal")
    page.wait_for_url("**/hub/home")
    press(page, "Open Terminal")
    anna.wait_for_picture()
    leave_by_keyboard(page)
    press(page, "Back to the portal")
    page.wait_for_url("**/hub/home")

    press(page, "Stop Terminal")
    dialog = page.get_by_role("dialog", name="Stop Terminal?")
    expect(dialog).to_be_visible()
    assert flaws_of(page) == []
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("article.session")).to_have_count(0)

    press(page, "Account of Anna Lindqvist")
    press(page, "Log out")
    # the provider's own page
    page.wait_for_url("**/oauth2/end_session**")
    press(page, "Sign out")
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    anna.login("anna")
    anna.require_quiet()
