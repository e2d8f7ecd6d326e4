"""The form for a name and a password, in Chromium, at a portal that has nothing else (AL10, SO07)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SessionUser, visitors
from tests.live_portal import Portal, remove, start_portal
from tests.not_tried import missing
from tests.stand_ins.directory import SLAPD, SUFFIX, make_directory, person

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

#: A password of a test.
RIGHT = "Correct-Horse 7"
CONFIG = """
c.UmbrellaAuthenticator.oidc_issuer = ""
c.UmbrellaAuthenticator.passwords = "ldap"
c.UmbrellaAuthenticator.auto_login = False
c.Facility.accounts = "ldap"
c.LdapAccounts.servers = ["{servers}"]
c.LdapAccounts.ca_file = "{ca}"
c.LdapAccounts.person_base = "ou=people,{suffix}"
c.LdapAccounts.issuers = ["ldap:ou=people,{suffix}"]
c.RoleRules.admin_groups = []
"""


@pytest.fixture(scope="module")
def small_portal(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    if SLAPD is None:
        missing("ldap", "OpenLDAP's server is not installed")
    people = [person("anna", 25001, userPassword=RIGHT, displayName="Anna Lindqvist")]
    directory = make_directory(tmp_path_factory.mktemp("passwords"), people)
    directory.start()
    running = start_portal(more_config=CONFIG.format(servers=directory.tls, ca=directory.ca, suffix=SUFFIX))
    yield running
    running.stop()
    remove(running)
    directory.stop()


@pytest.fixture
def visitor(browser: Browser, small_portal: Portal) -> Iterator[Callable[..., SessionUser]]:
    """Return people with a browser of their own at this portal."""
    with visitors(browser, small_portal) as arrive:
        yield arrive


@pytest.mark.parametrize("width", [1280, 390])
def test_in_and_out_by_the_keyboard(small_portal: Portal, visitor: Callable[..., SessionUser], width: int) -> None:
    someone = visitor(width=width, height=844)
    page = someone.page
    page.goto(f"{small_portal.url}/hub/home")
    expect(page.get_by_role("link", name="Sign in with")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the window"
    page.get_by_label("User name").fill("anna")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")
    expect(page.get_by_label("Password")).to_have_value("")
    someone.keep_picture(f"password-{width}")
    page.get_by_label("User name").fill("anna")
    page.keyboard.press("Tab")
    page.keyboard.type(RIGHT)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{small_portal.url}/hub/home")
    expect(page.locator(".person-name")).to_contain_text("Anna Lindqvist")
    page.locator(".person summary").click()
    page.get_by_role("link", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("signed out")
    page.goto(f"{small_portal.url}/hub/home")
    expect(page.get_by_label("Password")).to_be_visible()
    someone.complaints = [one for one in someone.complaints if "with a status of 401 " not in one]
    someone.require_quiet()
