"""The announcement of a session's end, and one click that extends it: on the card, on the desktop, in JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SessionUser
from tests.browser.pages import flaws_of
from tests.live_portal import Portal, new_state, remove, start_portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.ends]

#: So long that a slow machine shows every announcement before the end, and so short that each is shown at once.
LIMIT_S, WARNING_S, EXTENSION_S = 240, 225, 360
CONFIG = f"""
c.Lifetimes.warning_minutes = {WARNING_S / 60}
c.Lifetimes.extension_hours = {EXTENSION_S / 3600}
"""
SIZES = f"""\
sizes:
  small: {{title: Four minutes, memory: 4 GiB, cpus: 2, processes: 1000, hours: {LIMIT_S / 3600}}}
"""


@pytest.fixture(scope="module")
def short(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal whose sessions end soon."""
    folder = tmp_path_factory.mktemp("applications")
    (folder / "sizes.yaml").write_text(SIZES)
    portal = start_portal(folder, state=new_state(), more_config=CONFIG)
    try:
        yield portal
    finally:
        portal.stop()
        remove(portal)


@pytest.fixture
def anna(browser: Browser, short: Portal) -> Iterator[SessionUser]:
    """Anna, whose browser complains of nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    person = SessionUser(short, context, context.new_page())
    person.watch(person.page)
    person.login("anna")
    yield person
    context.close()


def test_the_desktop_announces_its_end_and_is_extended(anna: SessionUser, short: Portal) -> None:
    """Once, as the settings allow; then its card offers nothing more."""
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    page = anna.page
    notice = page.locator("#session-end")
    expect(notice).to_contain_text("This session ends in")
    expect(notice).to_contain_text("at its time limit")
    anna.keep_picture("end-of-a-desktop")
    notice.get_by_role("button", name="Extend by 6 minutes").click()
    expect(notice).to_be_hidden()
    page.goto(f"{short.url}/hub/home")
    expect(page.locator("article.session")).to_have_attribute("data-state", "running")
    expect(page.get_by_role("button", name="Extend by")).to_have_count(0)
    anna.require_quiet()


def test_a_card_announces_the_end_and_extends(anna: SessionUser, short: Portal) -> None:
    """Without a reload; and JupyterLab shows the same."""
    anna.launch("JupyterLab", "MA-4242")
    page = anna.page
    page.goto(f"{short.url}/hub/home")
    card = page.locator("article.session", has_text="JupyterLab")
    notice = card.locator(".session-notice")
    expect(notice).to_contain_text("It ends in 3 minutes, at its time limit.", timeout=60_000)
    anna.keep_picture("end-on-a-card")
    assert flaws_of(page) == []

    card.get_by_role("link", name="Open").click()
    shown = page.locator("#daas-end")
    expect(shown).to_contain_text("This session ends in", timeout=60_000)
    expect(shown.get_by_role("button", name="Extend by 6 minutes")).to_be_visible()
    anna.keep_picture("end-of-jupyterlab")

    page.goto(f"{short.url}/hub/home")
    card.get_by_role("button", name="Extend by 6 minutes").click()
    expect(notice).to_have_count(0)
    expect(card.get_by_role("button", name="Extend by")).to_have_count(0)
    anna.require_quiet()
