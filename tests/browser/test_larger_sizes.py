"""A session whose memory was used up, in Chromium: its card names the next larger size, and launches with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SessionUser
from tests.browser.pages import flaws_of
from tests.live_portal import Portal
from tests.sandbox.probe import FILL_MEMORY, give_script, portal_with_sizes

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

SIZES = """\
sizes:
  snug: {title: "1 processor, 400 MiB, 2 hours", memory: 400 MiB, cpus: 1, processes: 300, hours: 2}
  large: {title: "2 processors, 600 MiB, 2 hours", memory: 600 MiB, cpus: 2, processes: 300, hours: 2}
"""


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal with two sizes."""
    with portal_with_sizes(SIZES, "snug, large") as running:
        yield running


def require_fit(page: Page, width: int) -> None:
    assert flaws_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_the_next_larger_size_is_one_click_away(
    guest: Callable[..., SessionUser], portal: Portal, width: int, scheme: str
) -> None:
    anna = guest("anna", width=width, height=844)
    page = anna.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    give_script(portal, "anna", FILL_MEMORY)
    page.get_by_role("button", name="Launch Probe", exact=True).click()
    page.goto(f"{portal.url}/hub/home")
    card = page.locator("article.session")
    expect(card).to_have_attribute("data-state", "ended", timeout=90_000)
    expect(card).to_contain_text(
        re.compile(r"It used all of its 400 MiB of memory at \d\d:\d\d, and was ended\."), timeout=10_000
    )
    launch = card.get_by_role("button", name=re.compile("^Launch with 2 processors, 600 MiB, 2 hours ?: Probe$"))
    launch.scroll_into_view_if_needed()
    anna.keep_picture(f"larger-size-{width}-{scheme}")
    require_fit(page, width)

    card.get_by_role("link", name="What happened of Probe").click()
    expect(page.locator("#launch")).to_contain_text("The next larger size is chosen: 2 processors, 600 MiB, 2 hours.")
    expect(page.get_by_label("Size of Probe")).to_have_value("large")
    anna.keep_picture(f"larger-size-page-{width}-{scheme}")
    require_fit(page, width)

    page.goto(f"{portal.url}/hub/home")
    launch.click()
    page.wait_for_url(re.compile("/(sessions|user)/"))
    page.goto(f"{portal.url}/hub/home")
    # it fills what it has, too
    full = card.filter(has_text="It used all of its 600 MiB of memory")
    expect(full).to_contain_text("Probe has no larger size that you may use.", timeout=90_000)
    expect(full.get_by_role("button", name=re.compile("Launch with"))).to_have_count(0)
    anna.keep_picture(f"no-larger-size-{width}-{scheme}")
    require_fit(page, width)
    anna.require_quiet()
