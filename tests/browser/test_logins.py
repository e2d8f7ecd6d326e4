"""Signing in and out in Chromium: two certified providers on one page, and what ends a login while a page is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SessionUser, visitors
from tests.browser.pages import (
    sign_in,
)
from tests.hub.logins import AGAIN_S, LoginPortal, start_login_portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def login_portal(sandbox_works: None) -> Iterator[LoginPortal]:
    running = start_login_portal()
    yield running
    running.stop()


@pytest.fixture
def visitor(browser: Browser, login_portal: LoginPortal) -> Iterator[Callable[..., SessionUser]]:
    """Return people with a browser of their own at this portal."""
    with visitors(browser, login_portal.portal) as arrive:
        yield arrive


def test_two_providers_on_one_page(login_portal: LoginPortal, visitor: Callable[[], SessionUser]) -> None:
    """AL12, SO03, DI08, DE12: a button each; through both to the page that was wanted, as the same account."""
    for button in ("your facility account", "EGI Check-in"):
        person = visitor()
        person.page.goto(f"{login_portal.portal.url}/hub/proposals/MA-4242")
        links = person.page.get_by_role("link", name="Sign in with")
        expect(links).to_have_text(["Sign in with your facility account", "Sign in with EGI Check-in"])
        person.keep_picture("login-two-providers")
        sign_in(person, button, "Anna Lindqvist", at="/hub/proposals/MA-4242")
        assert person.page.url == f"{login_portal.portal.url}/hub/proposals/MA-4242"
        expect(person.page.locator("body")).to_contain_text("Anna Lindqvist")
        person.require_quiet()


def test_a_login_lasts_beyond_its_access_token(visitor: Callable[[], SessionUser]) -> None:
    """F7: the provider's token is over after two seconds, and nobody is asked to sign in again."""
    person = visitor()
    sign_in(person, "EGI Check-in", "Anna Lindqvist")
    for _ in range(2):
        person.page.wait_for_timeout(2500)
        person.page.reload()
        expect(person.page).to_have_url(f"{person.portal.url}/hub/home")
    person.require_quiet()


def test_signing_out_here_and_at_the_provider(login_portal: LoginPortal, visitor: Callable[[], SessionUser]) -> None:
    """The provider forgets the person as well: the next sign-in asks who it is."""
    person = visitor()
    sign_in(person, "your facility account", "Anna Lindqvist")
    person.page.goto(f"{login_portal.portal.url}/hub/logout")
    person.page.get_by_role("button", name="Sign out here as well").click()
    person.page.wait_for_url(f"{login_portal.portal.url}/hub/logged-out")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    person.keep_picture("signed-out")
    person.page.get_by_role("link", name="Sign in again").click()
    person.page.get_by_role("link", name="Sign in with your facility account").click()
    expect(person.page.get_by_role("button", name="Ben Okafor")).to_be_visible()
    person.page.get_by_role("button", name="Ben Okafor").click()
    expect(person.page.locator("body")).to_contain_text("Ben Okafor")
    person.require_quiet()


def test_signing_out_everywhere(login_portal: LoginPortal, visitor: Callable[[], SessionUser]) -> None:
    """From the menu to the provider's own sign-out, where the page's form leads; the other browser is out, too."""
    person, elsewhere = visitor(), visitor()
    for one in (person, elsewhere):
        sign_in(one, "your facility account", "Anna Lindqvist")
    person.page.locator("details.person summary").click()
    person.keep_picture("menu")
    person.page.get_by_role("link", name="Sign out everywhere").click()
    person.keep_picture("sign-out-everywhere")
    person.page.get_by_role("button", name="Sign out everywhere").click()
    person.page.get_by_role("button", name="Sign out here as well").click()
    person.page.wait_for_url(f"{login_portal.portal.url}/hub/logged-out")
    elsewhere.page.locator("table.proposals").get_by_role("link").first.click()
    expect(elsewhere.page.get_by_role("link", name="Sign in with EGI Check-in")).to_be_visible()
    person.require_quiet()


def test_an_open_page_when_the_provider_tells_of_a_logout(
    login_portal: LoginPortal, visitor: Callable[[], SessionUser]
) -> None:
    """F9, D6: whatever is pressed next leads to the login; a second person's page is not touched."""
    anna, ben = visitor(), visitor()
    sign_in(anna, "your facility account", "Anna Lindqvist")
    sign_in(ben, "your facility account", "Ben Okafor")
    login_portal.facility.control("logout", "anna")
    anna.page.locator("table.proposals").get_by_role("link").first.click()
    expect(anna.page.get_by_role("link", name="Sign in with EGI Check-in")).to_be_visible()
    ben.page.reload()
    expect(ben.page).to_have_url(f"{login_portal.portal.url}/hub/home")
    ben.require_quiet()


def test_an_open_page_when_the_login_is_revoked(login_portal: LoginPortal, visitor: Callable[[], SessionUser]) -> None:
    """D6: the provider refuses to renew it; the page that was wanted waits behind the login."""
    person = visitor()
    sign_in(person, "EGI Check-in", "Anna Lindqvist")
    login_portal.egi.control("revoke", "anna")
    person.page.wait_for_timeout(AGAIN_S * 1000 + 1500)
    person.page.goto(f"{login_portal.portal.url}/hub/proposals/MA-4242")
    expect(person.page.get_by_role("status").first).to_contain_text("The login provider has ended this login.")
    person.keep_picture("login-ended")
    person.page.get_by_role("link", name="Sign in with EGI Check-in").click()
    # the provider still knows the browser, or asks again
    if person.page.get_by_role("button", name="Anna Lindqvist").count():
        person.page.get_by_role("button", name="Anna Lindqvist").click()
    expect(person.page).to_have_url(f"{login_portal.portal.url}/hub/proposals/MA-4242")
