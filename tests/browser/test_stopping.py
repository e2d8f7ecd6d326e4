"""Stopping a session in Chromium: a running one is stopped after a question, which names it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SessionUser
from tests.browser.pages import DESKTOP_PAGE, flaws_of
from tests.live_portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]


def test_a_running_session_is_stopped_after_a_question(guest: Callable[..., SessionUser], portal: Portal) -> None:
    """With the keyboard alone; Escape and the button that has the focus keep it."""
    anna = guest("anna", width=340, height=800)
    page = anna.page
    page.emulate_media(color_scheme="dark")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    page.goto(f"{portal.url}/hub/home")
    stop = page.get_by_role("button", name="Stop Terminal")
    stop.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Stop Terminal?")
    expect(dialog).to_contain_text("MA-4242, visit 2")
    expect(dialog).to_contain_text("Unsaved work is lost")
    expect(dialog.get_by_role("button", name="Keep it running")).to_be_focused()
    anna.keep_picture("stop-dialog")
    assert flaws_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 340

    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(stop).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(stop).to_be_focused()
    expect(page.locator("article.session")).to_have_attribute("data-state", "running")

    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    expect(dialog.get_by_role("button", name="Stop", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("article.session")).to_have_count(0)
    anna.require_quiet()


def test_a_page_asks_where_no_script_does(browser: Browser, portal: Portal) -> None:
    """And the address alone stops nothing."""
    context = browser.new_context(java_script_enabled=False)
    anna = SessionUser(portal, context, context.new_page())
    anna.login("anna")
    page = anna.page
    anna.launch("Terminal", "MA-4242")
    page.wait_for_url(DESKTOP_PAGE)
    # the browser is there before the hub calls it running, and one that starts is stopped without a question
    until = time.monotonic() + 30
    while page.locator("article.session[data-state=running]").count() == 0:
        assert time.monotonic() < until
        page.goto(f"{portal.url}/hub/home")
    page.get_by_role("button", name="Stop Terminal").click()
    expect(page).to_have_title("Stop Terminal – MA-4242 visit 2 – Demo Light Source")
    expect(page.get_by_role("heading", name="Stop Terminal?")).to_be_visible()
    anna.keep_picture("stop-page")
    page.get_by_role("link", name="Keep it running").click()
    expect(page.locator("article.session")).to_have_attribute("data-state", "running")
    page.go_back()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("article.session")).to_have_count(0)
    # a reload of the question, later
    page.go_back()
    page.reload()
    expect(page).to_have_url(f"{portal.url}/hub/home")
    context.close()
