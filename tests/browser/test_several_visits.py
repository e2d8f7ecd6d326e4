"""Several visits chosen in Chromium: with the keyboard, on a phone, and without scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SessionUser, stop_first
from tests.live_portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]


def choose(page: Page) -> None:
    """Go from the home page to the launch page for two visits."""
    page.get_by_role("link", name="Launch on several visits in one session").click()
    expect(page.get_by_role("heading", name="Launch on several visits")).to_be_visible()
    glass, foils = (page.get_by_role("group", name=proposal) for proposal in ("MA-4242", "LS-1007"))
    glass.get_by_role("checkbox", name="Visit 2").check()
    # a search keeps what is checked
    page.get_by_role("searchbox").last.fill("LS-1007")
    page.get_by_role("button", name="Search").last.click()
    expect(glass.get_by_role("checkbox", name="Visit 2")).to_be_checked()
    foils.get_by_role("checkbox", name="Visit 1").check()


@pytest.mark.parametrize("width", [1280, 390])
def test_chosen_launched_and_named_on_the_card(guest: Callable[..., SessionUser], width: int) -> None:
    anna = guest("anna", width=width, height=844)
    page = anna.page
    page.goto(f"{anna.portal.url}/hub/home")
    choose(page)
    anna.keep_picture(f"several-choose-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Launch an application?")).to_be_visible()
    facts = page.locator("dl.facts")
    expect(facts).to_contain_text("MA-4242, visit 2")
    expect(facts).to_contain_text("LS-1007, visit 1")
    anna.keep_picture(f"several-launch-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Change visits").click()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(2)
    page.get_by_role("button", name="Continue").click()
    page.locator("input[value=terminal]").check()
    page.get_by_role("button", name="Launch", exact=True).click()
    anna.wait_for_picture()
    home = anna.watch(anna.context.new_page())
    home.goto(f"{anna.portal.url}/hub/home")
    card = home.locator("article.session").first
    expect(card).to_contain_text("MA-4242, visit 2; LS-1007, visit 1")
    anna.keep_picture(f"several-card-{width}", home)
    # the card is on the pages of both proposals, also after a live update
    for proposal in ("MA-4242", "LS-1007"):
        home.goto(f"{anna.portal.url}/hub/proposals/{proposal}")
        home.wait_for_timeout(1500)
        expect(home.locator("article.session")).to_have_count(1)
    home.close()
    anna.require_quiet()


def test_with_the_keyboard_alone(guest: Callable[..., SessionUser]) -> None:
    anna = guest("anna")
    page = anna.page
    page.goto(f"{anna.portal.url}/hub/launch?choose=1")
    page.get_by_role("searchbox").last.focus()
    page.keyboard.press("Tab")  # the search button
    for _ in range(2):
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(2)
    names = page.get_by_role("group").all()
    assert names, "the boxes of a proposal are a group with its name"
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.type") == "checkbox":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Launch an application?")).to_be_visible()
    anna.require_quiet()


def test_without_scripts(browser: Browser, portal: Portal) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(portal.url)
    page.get_by_role("link", name="Sign in").click()
    page.locator("button[value=anna]").click()
    choose(page)
    page.get_by_role("button", name="Continue").click()
    page.locator("input[value=terminal]").check()
    page.get_by_role("button", name="Launch", exact=True).click()
    page.goto(f"{portal.url}/hub/home")
    expect(page.locator("article.session").first).to_contain_text("MA-4242, visit 2; LS-1007, visit 1")
    stop_first(page)
    context.close()


def test_what_cannot_be_launched_is_said(guest: Callable[..., SessionUser]) -> None:
    """Somebody else's visit in the address, too many, or nonsense: a sentence, and a way back to the choice."""
    ben = guest("ben")
    for query, words in (
        ("visits=2:MA-4242&visits=1:LS-1007", "You have no such proposal."),
        ("&".join(f"visits={number}:MA-4242" for number in range(1, 23)), "2 to 20 visits together, not 22"),
        ("visits=../x&visits=2:MA-4242", "A chosen visit is not well-formed."),
    ):
        ben.page.goto(f"{ben.portal.url}/hub/launch?{query}")
        expect(ben.page.get_by_role("alert")).to_contain_text(words)
        expect(ben.page.get_by_role("link", name="Choose visits")).to_be_visible()
        assert ben.page.get_by_role("button", name="Launch").count() == 0
    ben.require_quiet()
