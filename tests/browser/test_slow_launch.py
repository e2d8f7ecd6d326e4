"""A launch whose session is not ready when the form is answered: the browser waits on a page, and is sent on there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SessionUser
from tests.browser.crossings import crossings
from tests.live_portal import Portal, remove, start_portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

CONFIG = """
import asyncio

import daas_hub.portal.launches
from daas_hub.facility import Facility

daas_hub.portal.launches.PROGRESS_PAGE_AFTER_S = 0.1

async def wait(spawner):
    await asyncio.sleep(3)

c.Spawner.pre_spawn_hook = wait

authorise = Facility.authorise

async def authorise_slowly(*args, **kwargs):
    await asyncio.sleep(1)
    return await authorise(*args, **kwargs)

Facility.authorise = authorise_slowly
c.Quotas.person = {"sessions": 1}
"""


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal for one session a person, which needs three seconds, after one in which the facility is asked."""
    running = start_portal(more_config=CONFIG)
    yield running
    running.stop()
    remove(running)


def test_it_does_not_sign_in_again(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    page = anna.page
    page.goto(f"{portal.url}/hub/proposals/MA-4242", wait_until="load")
    pressed_on = page.url
    crossed = crossings(page)
    page.get_by_role("button", name="Launch PyMca", exact=True).first.click()
    expect(page.locator("#launch")).to_have_attribute("data-state", "starting")
    anna.keep_picture("slow-launch")
    anna.wait_for_picture()
    desktop = urlsplit(page.url).path
    waited_on = f"/hub/sessions/{desktop.rstrip('/').rpartition('/')[2]}"
    sent_on = [one for one in crossed if "/sessions/" in one or "oauth" in one or one.startswith("web socket")]
    assert sent_on == [
        f"GET {waited_on}", f"GET {waited_on}", f"GET {waited_on}/desktop", f"web socket {desktop}rfb"
    ]  # fmt: skip
    page.go_back()
    expect(page).to_have_url(pressed_on)
    anna.require_quiet()


def test_a_launch_that_is_refused_meanwhile_links_to_the_limits(
    guest: Callable[..., SessionUser], portal: Portal
) -> None:
    """The refusal comes when the browser is on the session's page already."""
    portal.login("ben").launch("terminal")
    ben = guest("ben")
    page = ben.page
    page.goto(f"{portal.url}/hub/proposals/MA-4242", wait_until="load")
    page.get_by_role("button", name="Launch PyMca", exact=True).first.click()
    failed = page.locator("#launch-failed")
    expect(failed.get_by_role("alert")).to_contain_text("and this session needs 1")
    for _ in range(2):
        expect(failed.get_by_role("link", name="Your use and limits")).to_be_visible()
        ben.keep_picture("refused-late")
        page.reload()
    failed.get_by_role("link", name="Your use and limits").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your use and limits")
    ben.require_quiet()
