"""What counts as use in JupyterLab: a key does, an open page by itself does not."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SessionUser
from tests.live_portal import Portal, new_state, remove, start_portal
from tests.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

#: Sessions report every quarter of it.
IDLE_MINUTES = 2
CONFIG = f"c.Lifetimes.idle_minutes = {IDLE_MINUTES}\n"


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal whose sessions end when they are idle."""
    running = start_portal(state=new_state(), more_config=CONFIG)
    yield running
    running.stop()
    remove(running)


def last_use(anna: SessionUser) -> datetime.datetime:
    """Return when her only session was last used, as the hub knows it."""
    home = anna.context.new_page()
    home.goto(f"{anna.portal.url}/hub/home")
    text = home.evaluate(
        """async () => {
          const headers = {"X-XSRFToken": document.querySelector("[data-xsrf]").dataset.xsrf};
          const me = await (await fetch("/hub/api/user", {headers})).json();
          return Object.values(me.servers)[0].last_activity;
        }"""
    )
    home.close()
    return datetime.datetime.fromisoformat(text)


def test_a_key_counts_and_an_open_page_does_not(guest: Callable[..., SessionUser], portal: Portal) -> None:
    anna = guest("anna")
    page = anna.page
    reports: list[str] = []
    page.on("request", lambda request: reports.append(request.method) if request.url.endswith("/daas/use") else None)
    anna.launch("JupyterLab", "MA-4242")
    expect(page).to_have_url(re.compile("/lab"), timeout=60_000)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=60_000)
    began = datetime.datetime.now(datetime.UTC)
    # what an open page does by itself: its own requests, and the session's reports
    page.wait_for_timeout(IDLE_MINUTES * 60_000 / 4 + 5000)
    assert reports == []
    assert last_use(anna) < began + datetime.timedelta(seconds=2)
    pressed = datetime.datetime.now(datetime.UTC)
    with page.expect_response(re.compile("/daas/use$")) as answer:
        page.keyboard.press("Shift")
    assert answer.value.ok
    # times of the hub are in whole seconds
    wait_for(lambda: last_use(anna) >= pressed - datetime.timedelta(seconds=2), "a report of the key", 90)
