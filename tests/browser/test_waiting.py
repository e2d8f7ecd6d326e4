"""A launch that waits, in Chromium: its place in line, a notification, and the session that opens by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SessionUser
from tests.browser.pages import flaws_of
from tests.live_portal import Portal, new_state, remove, start_portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

#: Headless Chromium shows no notification: the constructor is called, and what it got is kept over a reload.
RECORD = """
const shown = window.Notification;
window.Notification = class extends shown {
    constructor(title, options) {
        super(title, options);
        localStorage.setItem("notified", `${title}: ${options.body}`);
    }
};
"""


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal with room for one session."""
    more = 'c.Quotas.facility = {"sessions": 1}\nc.Queue.enabled = True\n'
    running = start_portal(state=new_state(), more_config=more)
    yield running
    running.stop()
    remove(running)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (340, "dark")])
def test_wait_leave_wait_again_and_be_let_in(
    guest: Callable[..., SessionUser], portal: Portal, width: int, scheme: str
) -> None:
    holder = portal.login("anna")
    name = holder.launch("terminal")
    ben = guest("ben", width=width, height=844)
    ben.context.grant_permissions(["notifications"])
    ben.context.add_init_script(RECORD)
    page = ben.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{portal.url}/hub/launch?application=terminal")
    page.get_by_role("button", name="Launch").click()
    expect(page.get_by_role("heading", name="Terminal is waiting")).to_be_visible()
    card = page.locator("article.session")
    expect(card).to_contain_text("You are first in line.")
    expect(page.locator("#notify-words")).to_have_text("This browser will notify you while this page is open.")
    ben.keep_picture(f"waiting-{width}-{scheme}")
    assert flaws_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    # somebody who waits behind is notified of being next, also in a tab that is hidden
    carla = portal.login("carla")
    second = guest("carla")
    second.context.grant_permissions(["notifications"])
    second.context.add_init_script(RECORD)
    second.page.goto(f"{portal.url}/hub/sessions/{carla.launch('terminal', wait=False)}")
    behind = second.page.locator("article.session")
    expect(behind).to_contain_text("You are second in line.")
    second.context.new_page().bring_to_front()

    # left with the keyboard, and joined again
    card.get_by_role("button", name="Leave the queue").focus()
    page.keyboard.press("Enter")
    expect(page.locator("article.session")).to_have_count(0)
    expect(behind).to_contain_text("You are first in line.")
    second.page.wait_for_function("localStorage.getItem('notified') === 'Terminal: You are next in line.'")
    behind.get_by_role("button", name="Leave the queue").click()
    expect(second.page.locator("article.session")).to_have_count(0)
    page.goto(f"{portal.url}/hub/launch?application=terminal")
    page.get_by_role("button", name="Launch").click()
    expect(card).to_contain_text("You are first in line.")

    # the home page has it, too
    page.goto(f"{portal.url}/hub/home")
    expect(card.locator(".state")).to_have_text("Waiting")
    card.get_by_role("link", name="Show place in line").click()

    holder.stop(name)
    ben.wait_for_picture()
    assert page.evaluate("localStorage.getItem('notified')") == "Terminal: It is your turn: the session is starting."
    ben.require_quiet()
