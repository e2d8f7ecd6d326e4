"""The page "Your use and limits" in Chromium: found from home and from a refusal, read on a phone and in the dark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SessionUser, visitors
from tests.browser.pages import CONTRAST, flaws_of
from tests.live_portal import Portal, remove
from tests.places import TWO, kill_rest, start_with

pytestmark = pytest.mark.browser

#: One session of ben's leaves him none, and a course has reserved the rest of a place.
CONFIG = """
c.Facility.timezone = "UTC"
c.RoleRules.role_groups = {"members of the long-term proposals": ["ma-4242"]}
c.Quotas.person = {"sessions": 1, "cpus": 16, "memory": "64 GiB", "gpus": 0, "hours": 200, "days": 30}
c.Quotas.proposal = {"cpus": 64, "hours": 5000, "days": 90}
c.Quotas.roles = {"members of the long-term proposals": {"together": {"sessions": 40}}}
c.Quotas.groups = {"ma-4242": {"together": {"memory": "1024 GiB"}}}
c.Quotas.places = {"large": {"sessions": 5, "hours": 2000}}
c.Quotas.facility = {"sessions": 50, "hours": 20000}
c.Queue.enabled = True
c.Queue.reservations = [
    {"start": "2020-01-01", "end": "2090-01-01", "sessions": 3, "place": "large", "groups": ["summer-school"]},
]
"""


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal with quotas of every kind, and one session on MA-4242."""
    running = start_with(TWO, more=CONFIG)
    running.login("ben").launch("terminal", proposal="MA-4242", visit="2", place="large")
    yield running
    running.stop()
    kill_rest(running)
    remove(running)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")])
def test_the_page_is_found_and_can_be_read(
    guest: Callable[..., SessionUser], portal: Portal, width: int, scheme: str
) -> None:
    anna = guest("anna", width=width, height=844)
    page = anna.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{portal.url}/hub/home")
    link = page.get_by_role("main").get_by_role("link", name="Your use and limits")
    link.scroll_into_view_if_needed()
    anna.keep_picture(f"use-link-{width}-{scheme}")
    assert flaws_of(page) == []
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your use and limits")
    for name, words in (
        ("You", "Sessions 0 1 1 CPUs 0 16 16 Memory 0 GiB 64 GiB 64 GiB GPUs 0 0 None"),
        ("Your proposals", "MA-4242 CPUs 2 64 62 Hours in the last 90 days 12 5000 4988"),
        ("Your roles and groups", "All people in the group ma-4242 Memory 4 GiB 1024 GiB 1020 GiB"),
        ("Places and the whole portal", "Large nodes Sessions 3 reserved for others 1 5 1"),
        ("Places and the whole portal", "The whole portal Sessions 1 50 49 Hours in the last 30 days 12 20000 19988"),
    ):
        expect(page.get_by_role("table", name=name, exact=True)).to_contain_text(
            re.compile(re.escape(words).replace(r"\ ", r"\s+"))
        )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # without scrolling sideways, which a table may need on its own
    assert page.locator(".table-scroll").evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")
    assert flaws_of(page) == []
    assert page.evaluate(CONTRAST) == []
    page.screenshot(path=anna.keep_picture(f"use-{width}-{scheme}"), full_page=True)
    page.locator(".menu-holder.person summary").click()
    expect(page.locator(".menu a[aria-current=page]")).to_have_text("Your use and limits")
    anna.require_quiet()


@pytest.fixture
def ben(browser: Browser, portal: Portal) -> Iterator[Callable[[int], SessionUser]]:
    """Return ben with a browser of this width; his one session outlives it."""
    with visitors(browser, portal) as arrive:

        def signed_in(width: int) -> SessionUser:
            person = arrive(width=width, height=844)
            person.login("ben")
            return person

        yield signed_in


@pytest.mark.parametrize(
    ("address", "width", "scheme"),
    [
        ("home", 1280, "light"),
        ("home", 360, "dark"),
        ("proposals/MA-4242", 1280, "dark"),
        ("proposals/MA-4242", 360, "light"),
        ("launch?application=desktop", 1280, "light"),
        ("launch?application=desktop", 360, "dark"),
    ],
)
def test_a_refusal_for_a_limit_leads_to_it_by_keyboard(
    ben: Callable[[int], SessionUser], portal: Portal, address: str, width: int, scheme: str
) -> None:
    """The reason has the focus and is read with the link, which is the next stop of the Tab key."""
    person = ben(width)
    page = person.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{portal.url}/hub/{address}")
    main = page.get_by_role("main")
    if address.startswith("launch"):
        main.get_by_role("radio", name=re.compile("^Desktop")).check()
    main.get_by_role("button", name=re.compile("^Launch")).filter(visible=True).first.click()
    reason = page.get_by_role("alert")
    expect(reason).to_contain_text("You are using 1 of 1 sessions")
    expect(reason).to_contain_text("Your use and limits")
    expect(reason).to_be_focused()
    link = reason.get_by_role("link", name="Your use and limits", exact=True)
    expect(link).to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    person.keep_picture(f"refused-limit-{address.partition('?')[0].partition('/')[0]}-{width}-{scheme}")
    assert flaws_of(page) == []
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your use and limits")


def test_nothing_is_left_for_ben_and_the_page_needs_no_scripts(
    ben: Callable[[int], SessionUser], portal: Portal
) -> None:
    person = ben(1280)
    page = person.page
    page.route(re.compile(r"\.js"), lambda route: route.abort())
    page.goto(f"{portal.url}/hub/daas/use")
    row = page.get_by_role("table", name="You", exact=True).get_by_role("row", name=re.compile("^Sessions"))
    expect(row).to_have_text(re.compile(r"Sessions\s*1\s*1\s*None"))
    person.keep_picture("use-none-left")
