"""JupyterHub's own pages in our frame, in a browser: names, contrast, keyboard, a phone, and what their forms do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from daas_hub.accounts import Identity
from tests.browser.conftest import SessionUser, visitors
from tests.browser.pages import CONTRAST, flaws_of
from tests.live_portal import Portal, free_ports, remove, start_portal

SERVICE = "service-statistics"
CONFIG = """
c.JupyterHub.template_vars = {{"announcement": "Beam is <b>off</b> on Monday. <a href='https://x.example'>Details</a>"}}
c.JupyterHub.services = [*c.JupyterHub.services, {{
    "name": "statistics", "url": "http://127.0.0.1:{service}", "api_token": "{token}",
    "oauth_client_id": "{client}", "oauth_redirect_uri": "https://statistics.facility.example/oauth",
}}]
c.JupyterHub.load_groups = {{"bosses": {{"users": ["{anna}"]}}}}
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", "access:services!service=statistics"]}},
    {{"name": "boss", "scopes": ["admin-ui", "list:users", "read:users", "admin:groups"], "groups": ["bosses"]}},
]
"""
CONSENT = (
    f"/hub/api/oauth2/authorize?client_id={SERVICE}&redirect_uri=https%3A%2F%2Fstatistics.facility.example%2Foauth"
    f"&response_type=code&state=x&code_challenge={'E' * 43}&code_challenge_method=S256"
)
PAGES = {
    "login": "/hub/login",
    "home": "/hub/home",
    "proposal": "/hub/proposals/MA-4242",
    "launch": "/hub/launch?application=pymca&proposal=MA-4242&visit=2",
    "visits": "/hub/launch?choose=1",
    "tokens": "/hub/token",
    "sign-out": "/hub/daas/sign-out",
    "administration": "/hub/admin",
    "notices": "/hub/daas/notices",
    "audit": "/hub/audit",
    "consent": CONSENT,
    "not-found": "/hub/nothing",
    "proxy-error": "/hub/error/503",
    "share": "/hub/accept-share?code=abc",
}


@pytest.fixture(scope="module")
def staffed(sandbox_works: None) -> Iterator[Portal]:
    """A portal with a service, an announcement, and an administrator: Anna."""
    port = free_ports(4)
    config = CONFIG.format(
        service=free_ports(1),
        token="x" * 32,
        client=SERVICE,
        anna=Identity(f"http://127.0.0.1:{port + 1}", "anna").hub_name,
    )
    running = start_portal(port=port, more_config=config)
    running.login("ben")
    yield running
    running.stop()
    remove(running)


@pytest.fixture(scope="module")
def arrive(browser: Browser, staffed: Portal) -> Iterator[Callable[..., SessionUser]]:
    with visitors(browser, staffed) as arrive:
        yield arrive


@pytest.fixture
def page(arrive: Callable[..., SessionUser]) -> Page:
    anna = arrive()
    anna.login("anna")
    return anna.page


def open_page(page: Page, portal: Portal, name: str) -> None:
    page.goto(portal.url + PAGES[name])
    if name == "administration":
        expect(page.get_by_test_id("user-row-name").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_and_fits_a_phone(
    arrive: Callable[..., SessionUser], staffed: Portal, scheme: str
) -> None:
    """Contrast is WCAG AA, nothing makes a phone scroll sideways, and axe finds nothing."""
    phone = arrive(width=390, height=844)
    phone.page.emulate_media(color_scheme=scheme)
    phone.login("anna")
    pale, wide, flaws = {}, {}, {}
    for name in PAGES:
        open_page(phone.page, staffed, name)
        phone.keep_picture(f"hub-{name}-{scheme}")
        if found := phone.page.evaluate(CONTRAST):
            pale[name] = found
        # JupyterHub's own application for administrators is not ours
        if found := flaws_of(phone.page, without="#react-admin-hook" if name == "administration" else ""):
            flaws[name] = found
        if (width := phone.page.evaluate("document.documentElement.scrollWidth")) > 390:
            wide[name] = width
    assert pale == {}
    assert wide == {}
    assert flaws == {}


def test_pages_load_nothing_from_elsewhere_and_block_nothing_of_theirs(
    arrive: Callable[..., SessionUser], staffed: Portal
) -> None:
    """A blocked style or script is a complaint of the browser; a page that is refused or missing is one, too."""
    anna = arrive()
    anna.login("anna")
    for name in PAGES:
        if name not in ("not-found", "share"):
            open_page(anna.page, staffed, name)
    anna.require_quiet()


def test_the_administration_shows_names(page: Page, staffed: Portal) -> None:
    open_page(page, staffed, "administration")
    names = "cell => getComputedStyle(cell, '::after').content.replaceAll('\"', '')"
    cells = page.locator("[data-person]")
    expect(cells).to_have_count(2)
    assert {cell.evaluate(names) for cell in cells.all()} == {"Anna Lindqvist", "Ben Okafor"}
    page.get_by_placeholder("Search Users").fill(Identity(staffed.url[:-1], "nobody").hub_name)
    expect(page.locator("[data-person]")).to_have_count(0)


def test_a_token_is_requested_and_revoked(page: Page, staffed: Portal) -> None:
    open_page(page, staffed, "tokens")
    page.get_by_label("Note").fill("My script")
    page.get_by_role("button", name="Request a token").click()
    expect(page.locator("#token-result")).not_to_be_empty()
    token = page.locator("#token-result").inner_text()
    api, headers = f"{staffed.url}/hub/api/user", {"Authorization": f"token {token}"}
    assert requests.get(api, headers=headers, timeout=30).json()["user_info"]["display_name"] == "Anna Lindqvist"
    page.reload()
    row = page.locator("#api-tokens-table tr", has_text="My script")
    row.get_by_role("button", name="Revoke My script").click()
    expect(row).to_have_count(0)
    expect(page.locator("#announcer")).to_have_text("Revoked")
    assert requests.get(api, headers=headers, timeout=30).status_code == 403


def test_a_token_that_is_refused_says_why(page: Page, staffed: Portal) -> None:
    open_page(page, staffed, "tokens")
    page.get_by_label("Permissions").fill("admin:everything")
    page.get_by_role("button", name="Request a token").click()
    expect(page.get_by_role("alert")).to_contain_text("admin:everything")


def test_the_consent_page_leads_back_to_the_service(page: Page, staffed: Portal) -> None:
    """The policy of the page lets the form's answer lead to the service's own host."""
    open_page(page, staffed, "consent")
    expect(page.get_by_role("main")).to_contain_text("statistics asks for access to your account, Anna Lindqvist")
    page.route("https://statistics.facility.example/**", lambda route: route.fulfill(body="Welcome back"))
    page.get_by_role("button", name="Authorise").click()
    page.wait_for_url("https://statistics.facility.example/oauth?code=*")
    expect(page.locator("body")).to_have_text("Welcome back")


def test_the_menus_by_keyboard(page: Page, staffed: Portal) -> None:
    open_page(page, staffed, "tokens")
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Skip to the content")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Services")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("statistics")
    page.keyboard.press("Escape")
    expect(focused).to_have_text("Services")
    expect(page.get_by_role("link", name="statistics")).to_be_hidden()
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Account of Anna Lindqvist")
    page.keyboard.press("Enter")
    administration = ("Administration", "Audit", "Notices and maintenance")
    for words in ("Access tokens", *administration, "Sign out everywhere", "Log out"):
        page.keyboard.press("Tab")
        expect(focused).to_have_text(words)
