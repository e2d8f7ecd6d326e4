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

daas_hub.portal.launches.PROGRESS_PAGE_AFTER_S = 0.1

async def wait(spawner):
    await asyncio.sleep(3)

c.Spawner.pre_spawn_hook = wait
"""


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal whose sessions need three seconds."""
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
