"""A guest in Chromium: pages offer what their class may use, show what is announced to it, and say when access ends."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SessionUser
from tests.browser.pages import flaws_of
from tests.live_portal import WITHOUT_PROGRESS_PAGE, Portal, plain_text, remove, start_portal

pytestmark = pytest.mark.browser

#: The group ls-1007 is anna's alone; ben and carla are in no class.
CONFIG = """
c.Facility.timezone = "UTC"
c.RoleRules.admin_groups = ["staff-id21"]
c.RoleRules.role_groups = {"visitor": ["ls-1007"]}
c.Quotas.roles = {"visitor": {"sizes": ["large"], "applications": ["jupyterlab", "terminal", "pymca"]}}
"""


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    """A portal with a class of people; it starts no session."""
    running = start_portal(more_config=CONFIG + WITHOUT_PROGRESS_PAGE)
    yield running
    running.stop()
    remove(running)


def offered_on(page: Page) -> list[str]:
    """Return the applications of the page's tiles, links to other sites left out."""
    words = page.locator(".application .press").all_inner_texts()
    return sorted({one.removeprefix("Launch ") for one in words if one.startswith("Launch ")})


def test_tiles_and_sizes_are_those_of_the_class(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna, ben = guest("anna"), guest("ben")
    # the terminal has one size, and it is not hers
    assert offered_on(anna.page) == ["JupyterLab", "PyMca"]
    assert {"JupyterLab", "Terminal"} <= set(offered_on(ben.page))
    anna.page.goto(f"{portal.url}/hub/proposals/MA-4242")
    assert offered_on(anna.page) == ["JupyterLab", "PyMca"]
    assert anna.page.locator("select[name=size]").count() == 0, "there is no choice"
    assert set(anna.page.locator("input[name=size]").evaluate_all("all => all.map(one => one.value)")) == {"large"}
    anna.require_quiet()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_a_link_to_something_else_says_why(
    guest: Callable[..., SessionUser], portal: Portal, width: int, scheme: str
) -> None:
    anna = guest("anna", width=width, height=844)
    page = anna.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{portal.url}/hub/launch?proposal=MA-4242&visit=2&application=desktop")
    said = page.locator(".notice.bad")
    expect(said).to_have_text(re.compile("^Desktop is not available to you. Available: "))
    expect(page.get_by_role("radio", name=re.compile("^(Desktop|Terminal)"))).to_have_count(0)
    anna.keep_picture(f"class-{width}-{scheme}")
    assert flaws_of(page) == []
    page.goto(f"{portal.url}/hub/launch?proposal=MA-4242&visit=2&application=pymca&size=small")
    expect(said).to_contain_text("The size 2 processors, 4 GiB, 12 hours is not available to you. Available: 4 proc")
    # the size that is left is chosen
    expect(page.get_by_role("group", name="Size").get_by_role("radio")).to_have_count(1)
    expect(page.get_by_role("group", name="Size").get_by_role("radio")).to_be_checked()
    page.goto(f"{portal.url}/hub/launch?visits=1:MA-4242&visits=2:MA-4242&application=desktop")
    expect(said).to_contain_text("Desktop is not available to you.")
    anna.require_quiet()


def test_a_form_that_no_page_has_is_refused(portal: Portal) -> None:
    anna = portal.login("anna")
    for fields in ({"application": "terminal"}, {"application": "jupyterlab", "size": "small"}):
        answer = anna.post("/hub/launch", fields)
        assert answer.status_code == 403
        assert "is not available to you" in plain_text(answer)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_every_page_says_when_the_access_ends(
    guest: Callable[..., SessionUser], portal: Portal, width: int, scheme: str
) -> None:
    table = portal.state / "hub" / "accounts.yaml"
    before = table.read_text()
    end = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=5)
    table.write_text(before.replace("uid: 25003", f"uid: 25003\n    valid_until: {end}"))
    try:
        carla = guest("carla", width=width, height=844)
        page = carla.page
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for address in ("home", "proposals/MA-4242", "launch?application=jupyterlab", "token", "daas/notices"):
            page.goto(f"{portal.url}/hub/{address}")
            words = f"Your access to this portal ends in 5 days: on {end.day} {end:%B %Y}, at the end of the day."
            expect(page.locator("#access-ends")).to_contain_text(words)
        page.goto(f"{portal.url}/hub/home")
        carla.keep_picture(f"access-ends-{width}-{scheme}")
        assert flaws_of(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        table.write_text(before)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_a_notice_for_a_class_is_on_its_pages_only(
    guest: Callable[..., SessionUser], portal: Portal, width: int, scheme: str
) -> None:
    anna, ben, carla = (guest(name, width=width, height=844) for name in ("anna", "ben", "carla"))
    for one in (anna, ben, carla):
        one.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page = carla.page
    page.goto(f"{portal.url}/hub/daas/notices")
    page.get_by_label("Text", exact=True).fill(f"Badges end on Friday ({scheme}).")
    whom = page.get_by_label("For", exact=True)
    expect(whom).to_have_accessible_description(re.compile("Empty: everybody. Roles here: admin, .*visitor"))
    whom.fill("role:visitors")
    page.get_by_role("button", name="Announce", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("There is no role 'visitors'. Roles: ")
    expect(whom).to_have_value("role:visitors")
    carla.keep_picture(f"notice-for-nobody-{width}-{scheme}")
    whom.fill("role:visitor, beamline:ID21")
    page.get_by_role("button", name="Announce", exact=True).click()
    entry = page.locator("ul.announced > li", has_text=f"({scheme})")
    expect(entry).to_contain_text("for beamline:ID21, role:visitor")
    expect(page.locator("#notices")).to_be_empty()
    page.locator("#notice-for").scroll_into_view_if_needed()
    carla.keep_picture(f"notice-for-a-class-{width}-{scheme}")
    assert flaws_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # an open page
    notice = anna.page.locator("#notices .notice")
    expect(notice).to_have_text(f"Badges end on Friday ({scheme}).", timeout=15_000)
    anna.keep_picture(f"notice-of-a-class-{width}-{scheme}")
    assert flaws_of(anna.page) == []
    # ben has a proposal there
    expect(ben.page.locator("#notices .notice")).to_have_count(1, timeout=15_000)
    entry.get_by_role("button", name="Withdraw").click()
    expect(notice).to_have_count(0, timeout=15_000)
    for one in (anna, ben):
        one.require_quiet()
    assert len(carla.complaints) == 1, "the answer 400 to what was wrong"
