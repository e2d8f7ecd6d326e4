"""The whole walk in Chromium, for two people at once: from login to PyMca on real data, and a file handed on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Error, expect

from tests.browser.conftest import SessionUser, stop_first
from tests.browser.pages import (
    DESKTOP_PAGE,
    read_in_lab,
    require_closed_to,
    save_a_curve,
)
from tests.browser.windows import Screen
from tests.live_portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]


def test_two_people_analyse_one_proposal(portal: Portal, guest: Callable[..., SessionUser]) -> None:
    """R02, AL43, AL58, ES25, ES26: login, portal, application and data in one flow."""
    anna, ben = guest("anna"), guest("ben")
    anna.launch("PyMca", "MA-4242")
    ben.launch("JupyterLab", "MA-4242")

    # the session opens by itself, asks for no password, and PyMca stands in it
    anna.wait_for_picture()
    screen = Screen("PyMca, MA-4242 visit 2")
    screen.wait_for_window("PyMca - [Main Window]")
    screen.wait_for(lambda: screen.size() == (1400, 900), "the screen has the browser's size")
    anna.page.wait_for_timeout(1500)

    saved = save_a_curve(anna, screen, portal, "pymca")
    read_in_lab(ben, "lab")
    assert "#@MCA" in saved.read_text() or "#S 1" in saved.read_text()
    require_closed_to(ben, anna)
    anna.require_quiet()
    ben.require_quiet()


def test_desktops_stand_in_jupyterlabs_launcher(guest: Callable[..., SessionUser]) -> None:
    """ES28, DE07: the catalogue's desktop applications, beside the notebooks, without another login."""
    anna = guest("anna")
    anna.launch("JupyterLab", "LS-1007")
    anna.page.wait_for_url("**/user/**/lab**", timeout=60_000)
    card = anna.page.locator(".jp-LauncherCard", has_text="Terminal [")
    card.first.wait_for(timeout=40_000)
    icon = card.first.locator("img")
    icon.wait_for()
    assert icon.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0, "the card has its icon"
    with anna.context.expect_page(timeout=40_000) as opened:
        card.first.click()
    desktop = anna.watch(opened.value)
    anna.wait_for_picture(desktop)
    Screen("LS-1007 visit 1").wait_for_window("LXTerminal")
    anna.keep_picture("lab-desktop", desktop)
    anna.require_quiet()


def test_closed_application_can_be_started_again(portal: Portal, guest: Callable[..., SessionUser]) -> None:
    """Keys arrive, the closed window is told, and one press brings it back; the size follows the browser."""
    ben = guest("ben")
    ben.launch("Terminal", "MA-4242")
    ben.wait_for_picture()
    screen = Screen("Terminal, MA-4242 visit 2")
    screen.wait_for_window("LXTerminal")
    ben.page.mouse.click(600, 400)
    ben.page.keyboard.type("id > ~/processed/typed.txt; exit\n", delay=15)
    dialog = ben.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Terminal was closed")
    typed = portal.state / "processed" / "MA-4242" / "typed.txt"
    assert "uid=25002(ben)" in typed.read_text()
    ben.keep_picture("closed")
    dialog.get_by_role("button", name="Start").first.click()
    screen.wait_for_window("LXTerminal")
    expect(dialog).to_be_hidden()
    ben.page.set_viewport_size({"width": 1000, "height": 700})
    screen.wait_for(lambda: screen.size() == (1000, 700), "the new size")
    ben.require_quiet()


def test_cards_change_by_themselves(portal: Portal, guest: Callable[..., SessionUser]) -> None:
    """AL41: a session that starts, and one that ends by other means, are seen without a reload."""
    ben = guest("ben")
    ben.page.evaluate("window.stays = true")
    other = ben.watch(ben.context.new_page())
    other.goto(f"{portal.url}/hub/home")
    other.get_by_role("button", name="Launch Terminal").first.click()
    card = ben.page.locator("#sessions article")
    expect(card).to_contain_text("Terminal")
    expect(card.locator("[data-state=running]")).to_be_visible()
    ben.wait_for_picture(other)
    import os
    import signal

    os.kill(Screen("Terminal").pid, signal.SIGKILL)
    expect(card.locator("[data-state=ended]")).to_be_visible()
    assert ben.page.evaluate("window.stays") is True
    other.close()


def test_person_without_account_reads_what_to_do(guest: Callable[..., SessionUser]) -> None:
    """EL19: the fourth person."""
    dmitri = guest("dmitri")
    expect(dmitri.page.get_by_role("heading", level=1)).to_contain_text("no account here yet")
    expect(dmitri.page.locator("main")).to_contain_text("dmitri")
    dmitri.keep_picture("no-account")


def test_pages_work_without_scripts(portal: Portal, browser: object) -> None:
    """Forms and links are enough: sign in, launch, be sent on, stop."""
    context = browser.new_context(java_script_enabled=False)  # type: ignore[attr-defined]
    page = context.new_page()
    person = SessionUser(portal, context, page)
    person.login("carla")
    person.launch("Terminal", "MA-4242")
    page.wait_for_url(DESKTOP_PAGE)
    page.goto(f"{portal.url}/hub/home")
    stop_first(page)
    expect(page.locator("#sessions")).to_contain_text("No sessions.")
    context.close()


def test_link_of_another_site_starts_nothing(portal: Portal, guest: Callable[..., SessionUser]) -> None:
    """H1, in a real browser: a page of another origin posts and links; no session comes of it."""
    anna = guest("anna")
    page = anna.context.new_page()
    form = (
        f'<form id=f method=post action="{portal.url}/hub/launch"><input name=application value=terminal></form>'
        f'<img src="{portal.url}/hub/spawn?opt-application=terminal"><script>f.submit()</script>'
    )
    page.route("http://localhost:9/", lambda route: route.fulfill(body=form, content_type="text/html"))
    try:
        page.goto("http://localhost:9/")
        page.wait_for_timeout(1500)
    except Error:
        pass
    page.close()
    anna.page.goto(f"{portal.url}/hub/home")
    expect(anna.page.locator("#sessions")).to_contain_text("No sessions.")
