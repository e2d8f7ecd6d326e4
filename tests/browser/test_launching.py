"""Launch buttons in Chromium: a refusal stays where it was pressed, and nothing starts that nobody asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import SessionUser
from tests.browser.crossings import crossings
from tests.browser.pages import flaws_of
from tests.live_portal import Portal, remove, start_portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

PROPOSALS = Path(__file__).parent / "launching.yaml"
LARGE = "4 processors, 8 GiB, 12 hours"
SMALL = "2 processors, 4 GiB, 12 hours"
#: Two sessions for each person; the desktop is slow, so that its second start meets the first.
CONFIG = f"""
import asyncio

import daas_hub.portal.launches

# a refusal comes at once, however busy the machine is
daas_hub.portal.launches.PROGRESS_PAGE_AFTER_S = 20
c.Facility.proposals_file = {str(PROPOSALS)!r}
c.Facility.sessions_per_person = 2

async def wait(spawner):
    await asyncio.sleep(3 if spawner.user_options["application"] == "desktop" else 0)

c.Spawner.pre_spawn_hook = wait
"""


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal with proposals of its own."""
    running = start_portal(more_config=CONFIG)
    yield running
    running.stop()
    remove(running)


def card(page: Page, application: str) -> Locator:
    """Return an application's visible card."""
    words = page.locator(".press", has_text=re.compile(f"^(Launch|Open) {application}$"))
    return page.locator(".application:visible").filter(has=words).first


def press(page: Page, application: str) -> None:
    card(page, application).get_by_role("button", name=f"Launch {application}", exact=True).click()


def sessions(person: SessionUser) -> int:
    """Return how many sessions this person has, as the hub says it in another tab."""
    other = person.context.new_page()
    other.goto(f"{person.portal.url}/hub/home")
    found = other.locator("article.session").count()
    other.close()
    return found


def require_focus_on_reason(page: Page, words: str) -> None:
    reason = page.get_by_role("alert")
    expect(reason).to_have_count(1)
    expect(reason).to_contain_text(words)
    expect(reason).to_be_focused()
    expect(reason).to_be_in_viewport()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (340, "dark")])
def test_a_refused_launch_stays_on_its_visit(
    guest: Callable[..., SessionUser], portal: Portal, width: int, scheme: Any
) -> None:
    """The directory of this visit does not exist; the reason names it as the session would."""
    anna = guest("anna", width=width, height=800)
    page = anna.page
    page.emulate_media(color_scheme=scheme)
    address = f"{portal.url}/hub/proposals/LS-1007"
    page.goto(address)
    card(page, "PyMca").get_by_label("Size of PyMca").select_option(LARGE)

    press(page, "PyMca")

    require_focus_on_reason(page, "~/data")
    expect(page.locator("#visit-1").get_by_role("alert")).to_be_visible()
    expect(page).to_have_title("Not launched – Proposal LS-1007 – Demo Light Source")
    expect(card(page, "PyMca").get_by_label("Size of PyMca")).to_have_value("large")
    anna.keep_picture(f"refused-proposal-{width}-{scheme}")
    assert flaws_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # a reload sends nothing again
    assert page.url == address
    page.reload()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert sessions(anna) == 0


def test_a_refusal_keeps_a_search_and_the_options_of_the_launch_page(
    guest: Callable[..., SessionUser], portal: Portal
) -> None:
    anna = guest("anna")
    page = anna.page
    page.goto(f"{portal.url}/hub/launch?application=pymca&proposal=LS-1007&visit=1")
    page.get_by_label(LARGE).check()
    page.get_by_role("button", name="Launch", exact=False).click()
    require_focus_on_reason(page, "~/data")
    expect(page.get_by_label(LARGE)).to_be_checked()
    expect(page.locator("input[value=pymca]")).to_be_checked()
    anna.keep_picture("refused-launch")
    page.reload()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_label(LARGE)).to_be_checked()

    for _ in range(2):
        page.goto(f"{portal.url}/hub/home")
        press(page, "Terminal") if sessions(anna) == 0 else card(page, "Terminal").get_by_role(
            "button", name="Start another Terminal"
        ).click()
        anna.wait_for_picture()
    page.goto(f"{portal.url}/hub/home?search=glass&sort=title")
    press(page, "PyMca")
    require_focus_on_reason(page, "2")
    expect(page.locator("#own").get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("glass")
    assert page.url == f"{portal.url}/hub/home?search=glass&sort=title"
    anna.keep_picture("refused-home")
    assert sessions(anna) == 2


def test_what_runs_is_opened_and_a_second_one_is_a_choice(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    page = anna.page
    stale = anna.watch(anna.context.new_page())
    for one in (page, stale):
        one.goto(f"{portal.url}/hub/proposals/MA-4242")
    press(page, "PyMca")
    anna.wait_for_picture()
    first = page.url

    # a page from before it ran asks
    press(stale, "PyMca")
    reason = stale.get_by_role("alert")
    expect(reason).to_contain_text("PyMca is running already here")
    expect(stale).to_have_title("Already running – Proposal MA-4242 – Demo Light Source")
    anna.keep_picture("running-already", stale)
    assert sessions(anna) == 1
    stale.reload()
    assert sessions(anna) == 1
    # and a fresh one offers it first
    opened = card(stale, "PyMca")
    expect(opened).to_contain_text("Running since")
    anna.keep_picture("running-card", stale)
    assert flaws_of(stale) == []
    opened.get_by_role("link", name="Open PyMca").click()
    stale.wait_for_url(first)
    assert sessions(anna) == 1

    # another visit is another session; the same one again is a choice
    stale.goto(f"{portal.url}/hub/proposals/MA-4242")
    stale.locator("details.visit", has_text="First spectra").locator("summary").click()
    expect(stale.locator("#visit-9").get_by_role("button", name="Launch PyMca", exact=True)).to_be_visible()
    card(stale, "PyMca").get_by_role("button", name="Start another PyMca").click()
    anna.wait_for_picture(stale)
    assert stale.url != first
    assert sessions(anna) == 2
    anna.require_quiet()


def test_a_launch_crosses_the_network_three_times(guest: Callable[..., SessionUser], portal: Portal) -> None:
    """From far away each costs: the page with the button has fetched what else is needed."""
    anna = guest("anna")
    anna.page.goto(f"{portal.url}/hub/proposals/MA-4242", wait_until="load")
    anna.page.wait_for_function(
        "performance.getEntriesByType('resource').some((one) => one.name.includes('desktop.js'))"
    )
    crossed = crossings(anna.page)
    press(anna.page, "PyMca")
    anna.wait_for_picture()
    desktop = urlsplit(anna.page.url).path
    # the session's state is asked for beside, and the frame does not wait for it
    waited_for = [one for one in crossed if not one.endswith("/status")]
    page = f"/hub/sessions/{desktop.rstrip('/').rpartition('/')[2]}/desktop"
    assert waited_for == ["POST /hub/launch", f"GET {page}", f"web socket {desktop}rfb"]


def test_the_page_of_a_launch_is_the_session_s_from_then_on(guest: Callable[..., SessionUser], portal: Portal) -> None:
    """The portal sends it while the session starts; a reload, a second tab and the way back are the session's."""
    anna = guest("anna")
    page = anna.page
    page.goto(f"{portal.url}/hub/proposals/MA-4242")
    press(page, "PyMca")
    anna.wait_for_picture()
    address, title = urlsplit(page.url).path, page.title()
    assert address.startswith("/user/")
    expect(page.locator("#state")).to_have_text("Connected")
    # asked for with the session's cookie, which came with the screen
    with page.expect_response(f"**{address}status") as status:
        pass
    assert status.value.status == 200
    page.reload()
    anna.wait_for_picture()
    assert (urlsplit(page.url).path, page.title()) == (address, title)
    page.go_back()
    expect(page).to_have_url(f"{portal.url}/hub/proposals/MA-4242")
    page.go_forward()
    anna.wait_for_picture()
    assert urlsplit(page.url).path == address
    anna.require_quiet()


def test_a_second_one_can_be_started_from_the_launch_page(guest: Callable[..., SessionUser], portal: Portal) -> None:
    """The page's own form asks, and its answer is sent with the question."""
    anna = guest("anna")
    page = anna.page
    for running in (0, 1):
        page.goto(f"{portal.url}/hub/launch?application=terminal")
        page.get_by_role("button", name="Launch").click()
        if running:
            require_focus_on_reason(page, "is running already")
            page.get_by_role("button", name="Start another").click()
        anna.wait_for_picture()
        assert sessions(anna) == running + 1
    anna.require_quiet()


def test_no_press_starts_a_second_one(guest: Callable[..., SessionUser], portal: Portal) -> None:
    """Two presses, the back button, and a second tab while the first is starting."""
    anna = guest("anna")
    page = anna.page
    other = anna.context.new_page()
    for one in (page, other):
        one.goto(f"{portal.url}/hub/home")
    card(page, "Desktop").get_by_role("button", name="Launch Desktop", exact=True).dblclick(no_wait_after=True)
    while sessions(anna) == 0:
        other.wait_for_timeout(100)
    press(other, "Desktop")
    expect(other.get_by_role("alert")).to_contain_text("Desktop is starting already here")
    other.get_by_role("alert").locator("..").get_by_role("link", name="Open Desktop").click()
    for one in (page, other):
        anna.wait_for_picture(one)
    assert other.url == page.url
    page.go_back()
    page.go_forward()
    assert sessions(anna) == 1


def test_the_newest_visit_is_by_date(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    page = anna.page
    page.goto(f"{portal.url}/hub/proposals/MA-4242")
    expect(page.locator(".visit h3")).to_have_text(
        ["Visit 2: Glass fragments", "Visit 3: Steel standard", "Visit 9: First spectra"]
    )
    expect(page.locator("section.visit")).to_contain_text("21 September 2025 · latest")
    expect(page.locator("#visit-3 summary")).to_contain_text("10 January 2097 · upcoming")
    anna.keep_picture("visits-by-date")


def test_sizes_follow_the_application(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    page = anna.page
    page.goto(f"{portal.url}/hub/launch?proposal=MA-4242&visit=2")
    sizes = page.get_by_role("group", name="Size")
    expect(sizes).to_be_hidden()
    page.locator("input[value=pymca]").check()
    expect(sizes.get_by_label(SMALL)).to_be_checked()
    sizes.get_by_label(LARGE).check()
    page.locator("input[value=terminal]").check()
    expect(sizes.get_by_label(LARGE)).to_be_hidden()
    expect(sizes.get_by_label(SMALL)).to_be_checked()
    anna.keep_picture("sizes")


def test_tabs_differ_by_application_proposal_and_facility(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    page = anna.page
    page.goto(f"{portal.url}/hub/proposals/MA-4242")
    press(page, "PyMca")
    anna.wait_for_picture()
    expect(page).to_have_title("PyMca – MA-4242 visit 2 – Demo Light Source")
    page.goto(f"{portal.url}/hub/home")
    press(page, "JupyterLab")
    page.wait_for_url("**/lab**")
    expect(page).to_have_title("JupyterLab – own resources – Demo Light Source", timeout=40_000)
    for path, title in (
        ("home", "Home"),
        ("proposals/MA-4242", "Proposal MA-4242"),
        ("launch?application=pymca&proposal=MA-4242&visit=2", "Launch PyMca – MA-4242"),
        ("launch?choose=1", "Several visits"),
        ("token", "Access tokens"),
        ("daas/sign-out", "Sign out"),
        ("nothing", "Page not found"),
    ):
        page.goto(f"{portal.url}/hub/{path}")
        expect(page).to_have_title(f"{title} – Demo Light Source")


def test_the_menu_marks_the_right_place(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    page = anna.page
    marked = page.locator("nav.rooms [aria-current]")
    page.goto(f"{portal.url}/hub/home")
    expect(marked).to_have_text("Proposals")
    page.get_by_role("navigation", name="Portal").get_by_role("link", name="Own resources").click()
    expect(marked).to_have_text("Own resources")
    page.go_back()
    expect(marked).to_have_text("Proposals")
    page.goto(f"{portal.url}/hub/launch?application=terminal")
    expect(marked).to_have_text("Own resources")
    page.goto(f"{portal.url}/hub/launch?application=terminal&proposal=MA-4242&visit=2")
    expect(marked).to_have_text("Proposals")
    for path, words in (("token", "Access tokens"), ("daas/sign-out", "Sign out everywhere")):
        page.goto(f"{portal.url}/hub/{path}")
        expect(page.locator(".menu [aria-current=page]")).to_have_text(words)
        expect(marked).to_have_count(0)


def test_long_words_wrap_on_a_phone(guest: Callable[..., SessionUser], portal: Portal) -> None:
    width = 320
    phone = guest("anna", width=width, height=740)
    page = phone.page
    wide = {}
    for path in (
        "home",
        "home?search=foils",
        "proposals/LS-1007",
        "launch?application=pymca&proposal=LS-1007&visit=1",
        "launch?choose=1",
        f"home?search={'x' * 100}",
        f"proposals/{'x' * 100}",
    ):
        page.goto(f"{portal.url}/hub/{path}")
        phone.keep_picture(f"phone-{width}-{re.sub('[^a-z]+', '-', path)[:30]}")
        if (seen := page.evaluate("document.documentElement.scrollWidth")) > width:
            wide[path] = seen
    assert wide == {}


def test_refused_and_running_without_scripts(browser: Browser, portal: Portal) -> None:
    context = browser.new_context(java_script_enabled=False)
    person = SessionUser(portal, context, context.new_page())
    person.login("anna")
    page = person.page
    page.goto(f"{portal.url}/hub/proposals/LS-1007")
    press(page, "Terminal")
    require_focus_on_reason(page, "~/data")
    page.goto(f"{portal.url}/hub/home")
    press(page, "Terminal")
    page.goto(f"{portal.url}/hub/home")
    expect(card(page, "Terminal").get_by_role("link", name="Open Terminal")).to_be_visible()
    assert sessions(person) == 1
    portal.login("anna").stop(page.locator("article.session").get_attribute("id").removeprefix("session-"))  # type: ignore[union-attr]
    context.close()
