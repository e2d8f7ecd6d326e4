"""Connecting a login with the account one has, in Chromium, with the keyboard where people use it (AL60)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SessionUser, visitors
from tests.browser.pages import (
    sign_in,
)
from tests.hub.linking import RIGHT, LinkedDoors, linked_login_portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def site(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinkedDoors]:
    with linked_login_portal(tmp_path_factory.mktemp("linking")) as running:
        yield running


@pytest.fixture
def visitor(browser: Browser, site: LinkedDoors) -> Iterator[Callable[..., SessionUser]]:
    """Return people with a browser of their own at this portal."""
    with visitors(browser, site.login_portal.portal) as arrive:
        yield arrive


def require_quiet(person: SessionUser) -> None:
    """Check as ever, but for pages that say no with a status of their own: a browser writes those down as well."""
    person.complaints = [one for one in person.complaints if not re.search(r"with a status of 40[134] ", one)]
    person.require_quiet()


def test_from_a_login_without_account_to_the_account(site: LinkedDoors, visitor: Callable[..., SessionUser]) -> None:
    person = visitor()
    page = person.page
    sign_in(person, "EGI Check-in", "Anna Lindqvist")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your login works, but you have no account here yet")
    person.keep_picture("link-none")
    page.get_by_role("link", name="Connect my facility account").click()
    expect(page.locator("[aria-current=step]")).to_have_text("Your facility account")
    expect(page.get_by_role("main")).to_contain_text("anna0123456789abcdef@egi.eu")
    person.keep_picture("link-password")
    # a slip, then the right one, by the keyboard alone
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")
    expect(page.get_by_label("Password")).to_have_value("")
    person.keep_picture("link-wrong")
    page.get_by_label("User name").fill("anna")
    page.keyboard.press("Tab")
    page.keyboard.type(RIGHT)
    page.keyboard.press("Enter")
    expect(page.locator("[aria-current=step]")).to_have_text("Review and connect")
    expect(page.get_by_role("main")).to_contain_text("Anna at the Facility")
    person.keep_picture("link-both")
    page.get_by_role("button", name="Connect them, both are mine").click()
    page.wait_for_url(f"{site.url}/hub/home")
    expect(page.locator(".person-name")).to_contain_text("Anna at the Facility")

    # seen, and taken back
    page.locator(".person summary").click()
    page.get_by_role("link", name="Connected logins").click()
    expect(page.get_by_role("main")).to_contain_text("EGI Check-in")
    page.get_by_text("Remove EGI Check-in …").click()
    person.keep_picture("link-logins")
    page.get_by_role("button", name="Remove it").click()
    page.wait_for_url(f"{site.url}/hub/logged-out")
    # the provider still knows who it is, and asks nothing; the login alone is none any more
    page.goto(f"{site.url}/hub/home")
    page.get_by_role("link", name="Sign in with EGI Check-in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your login works, but you have no account here yet")
    require_quiet(person)


def test_cancel_and_a_phone(site: LinkedDoors, visitor: Callable[..., SessionUser]) -> None:
    person = visitor(width=390, height=844)
    page = person.page
    sign_in(person, "EGI Check-in", "Ben Okafor")
    page.get_by_role("link", name="Connect my facility account").click()
    person.keep_picture("link-password-phone")
    page.get_by_label("User name").fill("ben")
    page.get_by_label("Password").fill(RIGHT)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("main")).to_contain_text("Ben at the Facility")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the phone"
    person.keep_picture("link-both-phone")
    page.get_by_role("button", name="Another account").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url(f"{site.url}/hub/login*")
    page.goto(f"{site.url}/hub/link")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing to connect here")
    require_quiet(person)
