"""A start that a home prevents, and the button that starts without it, in Chromium on a laptop and a phone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SessionUser
from tests.browser.pages import CONTRAST
from tests.live_portal import Portal
from tests.sandbox.homes import a_file_in_the_way, new_home
from tests.stand_ins.squashing import require_fuse, squashing

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

OFFERED = "Launch with a temporary home"
IS_TEMPORARY = "Temporary home: files in it are deleted when the session ends."


@pytest.fixture
def broken(portal: Portal) -> Iterator[Path]:
    """Put a file in the way of the data in carla's home."""
    home = new_home(portal)
    a_file_in_the_way(home)
    yield home
    new_home(portal)


@pytest.fixture
def hanging(portal: Portal, tmp_path: Path) -> Iterator[Path]:
    """Let the file server of carla's home respond no more."""
    require_fuse()
    home = new_home(portal)
    real = Path(f"{home}-real")
    real.mkdir(mode=0o700, exist_ok=True)
    os.chown(real, 25003, 25003)
    with squashing(real, home) as server:
        server.send_signal(signal.SIGSTOP)
        try:
            yield home
        finally:
            server.send_signal(signal.SIGCONT)
    real.rmdir()


def require_readable(page: Page, width: int) -> None:
    """Check contrast (WCAG AA), and that nothing makes the page scroll sideways."""
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_offered_button_starts_without_the_home(
    guest: Callable[..., SessionUser], broken: Path, width: int, scheme: str
) -> None:
    carla = guest(width=width, height=900)
    page = carla.page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its literals
    carla.login("carla")
    carla.launch("Terminal", "MA-4242")
    expect(page.get_by_role("alert")).to_contain_text("Rename 'data' in your home, then launch again.")
    button = page.get_by_role("button", name=OFFERED)
    assert page.evaluate("document.querySelector('[name=temporary_home]').getBoundingClientRect().bottom") < 900
    expect(page.locator("#temporary-home")).to_contain_text("files in it are deleted when the session ends")
    carla.keep_picture(f"temporary-offered-{width}")
    require_readable(page, width)
    button.click()
    carla.wait_for_picture()
    assert "temporary home" in page.title()
    page.locator("#handle").click()
    expect(page.locator("#tools")).to_contain_text(IS_TEMPORARY)
    page.wait_for_timeout(1000)
    carla.keep_picture(f"temporary-session-{width}")
    home = carla.watch(carla.context.new_page())
    home.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    home.goto(f"{carla.portal.url}/hub/home")
    expect(home.locator("article.session").first).to_contain_text(IS_TEMPORARY)
    carla.keep_picture(f"temporary-card-{width}", home)
    require_readable(home, width)
    home.close()
    assert (broken / "data").read_text() == "mine"


def test_it_is_a_choice_with_the_keyboard(guest: Callable[..., SessionUser]) -> None:
    """Closed until somebody looks for it; nothing else of the form changes."""
    anna = guest("anna")
    page = anna.page
    page.goto(f"{anna.portal.url}/hub/launch?application=terminal&proposal=MA-4242&visit=2")
    box = page.get_by_role("checkbox", name="Temporary home")
    expect(box).to_be_hidden()
    anna.keep_picture("temporary-closed")
    page.locator("summary", has_text="Advanced").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(box).to_be_focused()
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    anna.keep_picture("temporary-choice")
    page.get_by_role("button", name="Launch", exact=True).click()
    anna.wait_for_picture()
    assert "temporary home" in page.title()
    anna.require_quiet()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system that squashes it")
def test_offered_while_the_page_shows_the_progress(guest: Callable[..., SessionUser], hanging: Path) -> None:
    """The server of the home responds no more, which takes eight seconds to say; the page gets its button then."""
    carla = guest("carla")
    page = carla.page
    carla.launch("Terminal", "MA-4242")
    expect(page.locator("#launch-failed")).to_contain_text("The storage behind your home directory")
    button = page.locator("#launch-again").get_by_role("button", name="Launch Terminal with a temporary home")
    expect(button).to_be_visible()
    carla.keep_picture("temporary-after-progress")
    button.click()
    carla.wait_for_picture()
    assert "temporary home" in page.title()
