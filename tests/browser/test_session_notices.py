"""What the portal announces, on the page of a desktop and in JupyterLab: shown, hidden, and shown again near an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SessionUser
from tests.browser.pages import flaws_of
from tests.hub.operator import Operator
from tests.live_portal import Portal, new_state, remove, start_portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

TEXT = "New disks. <b>See https://status.example.org</b>"


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal that ends its sessions in two hours."""
    running = start_portal(state=new_state())
    try:
        times = ("--from", "+1h", "--stop-sessions-at", "+2h")
        # a process of its own: Playwright's event loop runs in this one
        begun = Operator(running).run_alone("maintenance", "begin", *times, "--text", TEXT)
        assert begun.returncode == 0, begun
        yield running
    finally:
        running.stop()
        remove(running)


def test_a_desktop_shows_it_until_it_is_hidden(guest: Callable[..., SessionUser]) -> None:
    anna = guest("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    page = anna.page
    notice = page.locator("#notices .announcement")
    # a minute later at most
    expect(notice).to_contain_text("for a maintenance of the portal. Save your work before.", timeout=90_000)
    expect(notice).to_contain_text("This session ends in")
    expect(notice).to_contain_text(TEXT)
    anna.keep_picture("maintenance-on-a-desktop")
    assert flaws_of(page, without="#screen") == []
    notice.get_by_role("button", name="Hide").click()
    expect(notice).to_have_count(0)
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"
    page.reload()
    anna.wait_for_picture()
    with page.expect_response("**/status"):
        pass
    expect(notice).to_have_count(0)
    # as it comes again ten minutes before the end, with another key
    page.evaluate("sessionStorage.setItem('daas-hidden-notices', 'no JSON')")
    page.reload()
    expect(notice).to_contain_text("This session ends in")
    anna.require_quiet()


def test_jupyterlab_shows_it_until_it_is_hidden(guest: Callable[..., SessionUser]) -> None:
    ben = guest("ben")
    ben.launch("JupyterLab", "MA-4242")
    page = ben.page
    notice = page.locator("#daas-announcements > div")
    expect(notice).to_contain_text("for a maintenance of the portal. Save your work before.", timeout=120_000)
    expect(notice).to_contain_text(TEXT)
    ben.keep_picture("maintenance-in-jupyterlab")
    notice.get_by_role("button", name="Hide").click()
    expect(notice).to_have_count(0)
    with page.expect_response("**/daas/end", timeout=40_000):
        pass
    expect(notice).to_have_count(0)
    ben.require_quiet()
