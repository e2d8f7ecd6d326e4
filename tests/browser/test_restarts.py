"""What people see while the hub is dead, after its restart, and when a session dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SessionUser, visitors
from tests.browser.windows import Screen
from tests.live_portal import Portal, free_ports, remove, start_portal
from tests.own_proxy import CONFIG, own_proxy
from tests.places import kill, kill_rest
from tests.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]


@pytest.fixture
def mortal(sandbox_works: None) -> Iterator[Portal]:
    """A portal whose hub a test may kill."""
    portal = start_portal()
    yield portal
    portal.stop()
    kill_rest(portal)
    remove(portal)


@pytest.fixture
def arrive(browser: Browser, mortal: Portal) -> Iterator[Callable[..., SessionUser]]:
    with visitors(browser, mortal) as arrive:
        yield arrive


def test_a_dead_hub_and_a_dead_session(arrive: Callable[..., SessionUser], mortal: Portal) -> None:
    """The desktop continues without the hub; lists and pages say what they wait for, and come back by themselves."""
    anna = arrive()
    anna.login("anna")
    desktop = anna.page
    home, other = anna.context.new_page(), anna.context.new_page()
    home.goto(f"{mortal.url}/hub/home")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("Terminal, MA-4242 visit 2")
    card = home.locator("article.session")
    expect(card).to_have_attribute("data-state", "running")

    kill(mortal)
    stale = home.get_by_role("status").filter(has_text="This list is not being updated")
    expect(stale).to_be_visible()
    other.goto(f"{mortal.url}/hub/home")
    anna.keep_picture("hub-is-dead", other)
    expect(other.get_by_role("heading", level=1)).not_to_contain_text("Welcome")
    expect(desktop.locator("body")).to_have_attribute("data-state", "connected")

    mortal.process = start_portal(state=mortal.state, port=mortal.port).process
    expect(stale).to_have_count(0, timeout=60_000)
    expect(card).to_have_attribute("data-state", "running")
    expect(other.get_by_role("heading", name="Welcome, Anna Lindqvist")).to_be_visible()
    expect(desktop.locator("body")).to_have_attribute("data-state", "connected")

    os.kill(screen.pid, signal.SIGKILL)
    expect(desktop.locator("#veil")).to_contain_text("This session is no longer running.")
    expect(card).to_have_attribute("data-state", "ended")
    anna.keep_picture("session-is-dead", home)


def test_a_launch_that_is_pressed_without_a_hub(sandbox_works: None, browser: Browser) -> None:
    """The browser sends it again until the hub is back; the proxy is a service of its own."""
    port = free_ports(4)
    with own_proxy(port):
        portal = start_portal(port=port, more_config=CONFIG)
        try:
            with visitors(browser, portal) as arrive:
                anna = arrive()
                anna.login("anna")
                page = anna.page
                page.goto(f"{portal.url}/hub/launch?application=terminal")
                answers: list[int] = []
                page.on("response", lambda answer: answers.append(answer.status))
                kill(portal)
                page.get_by_role("button", name="Launch").click(no_wait_after=True)
                wait_for(lambda: page.wait_for_timeout(100) or 307 in answers, "the first repetition")
                portal.process = start_portal(state=portal.state, port=port, more_config=CONFIG).process
                anna.wait_for_picture()
                assert len(anna.context.request.get(f"{portal.url}/hub/api/user").json()["servers"]) == 1
        finally:
            portal.stop()
            kill_rest(portal)
            remove(portal)
