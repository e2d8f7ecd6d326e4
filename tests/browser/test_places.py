"""Places in Chromium: choose one, open a session there, stop it, and start it in the other; laptop and phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SessionUser, stop_first
from tests.live_portal import Portal, remove
from tests.places import TWO, start_with

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

#: The two of all tests, three that cannot be chosen, and one with a size of its own.
SHOWN: dict[str, dict[str, Any]] = TWO | {
    "old": {"spawner": "sandbox", "title": "Old cluster", "state": "draining", "notice": "it is replaced on Monday."},
    "imaging": {"spawner": "sandbox", "title": "Imaging", "beamlines": ["ID99"]},
    "memory": {"spawner": "sandbox", "title": "Much memory", "sizes": ["large"]},
    "tape": {"spawner": "sandbox", "title": "Tape room", "lacks_storage": ["/"]},
}


#: Long enough for the page that shows the progress of a start.
SLOW_PYTHON = """
import asyncio

async def wait(spawner):
    await asyncio.sleep(3 if spawner.user_options["application"] == "python" else 0)

c.Spawner.pre_spawn_hook = wait
"""


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal with several places."""
    running = start_with(SHOWN, more=SLOW_PYTHON)
    yield running
    running.stop()
    remove(running)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_chosen_opened_stopped_and_started_elsewhere(
    guest: Callable[..., SessionUser], width: int, scheme: Any
) -> None:
    anna = guest("anna", width=width, height=844)
    page = anna.page
    page.emulate_media(color_scheme=scheme)
    for title, other in (("Large nodes", "This machine"), ("This machine", "Large nodes")):
        page.goto(f"{anna.portal.url}/hub/proposals/MA-4242")
        link = page.get_by_role("link", name="Choose where to launch Terminal").first
        link.scroll_into_view_if_needed()
        anna.keep_picture(f"places-proposal-{width}-{scheme}")
        link.click()
        choice = page.get_by_role("group", name="Place")
        expect(choice.get_by_label("This machine")).to_be_checked()
        expect(choice.get_by_label("Old cluster")).to_be_disabled()
        expect(choice).to_contain_text("it is replaced on Monday.")
        expect(choice).to_contain_text("Imaging is for proposals of ID99 only, and MA-4242 is not one of them.")
        expect(choice).to_contain_text("Tape room does not have the storage of the home directory")
        choice.get_by_label(title).check()
        page.get_by_role("button", name="Launch").scroll_into_view_if_needed()
        anna.keep_picture(f"places-launch-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("button", name="Launch").click()
        anna.wait_for_picture()
        page.goto(f"{anna.portal.url}/hub/home")
        card = page.locator("article.session")
        expect(card).to_contain_text(title)
        expect(card).not_to_contain_text(other)
        anna.keep_picture(f"places-card-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        stop_first(page)
        expect(page.locator("article.session")).to_have_count(0)
    anna.require_quiet()


def test_sizes_follow_the_place(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    page = anna.page
    page.goto(f"{portal.url}/hub/launch?application=pymca")
    sizes = page.get_by_role("group", name="Size")
    small, large = sizes.get_by_label("2 processors"), sizes.get_by_label("4 processors")
    page.get_by_label("This machine").check()
    small.check()
    page.get_by_label("Much memory").check()
    expect(small).to_be_hidden()
    expect(large).to_be_checked()
    anna.keep_picture("places-sizes")
    page.get_by_label("Large nodes").check()
    expect(small).to_be_visible()
    expect(large).to_be_checked()
    # a button that leaves the place open leaves the size open, too: each place has its own default
    page.goto(f"{portal.url}/hub/home")
    offered = page.get_by_label("Size of PyMca").locator("option")
    expect(offered).to_have_text(["Usual size", "2 processors, 4 GiB, 12 hours", "4 processors, 8 GiB, 12 hours"])


def test_waiting_page_says_where(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    anna.page.goto(f"{portal.url}/hub/launch?application=python&place=large")
    expect(anna.page.get_by_label("Large nodes")).to_be_checked()
    anna.page.get_by_role("button", name="Launch").click()
    waiting = anna.page.locator("#launch")
    expect(waiting).to_contain_text("is starting")
    expect(waiting).to_contain_text("in Large nodes")
    anna.keep_picture("places-waiting")
    anna.page.wait_for_url("**/user/**", timeout=60_000)
