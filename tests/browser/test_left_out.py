"""The notice of records that cannot be used, in Chromium on a laptop and a phone, light and dark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import visitors
from tests.browser.pages import CONTRAST
from tests.hub.scicat_portal import SLASH, ScicatSite, scicat_site

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def site(sandbox_works: None) -> Iterator[ScicatSite]:
    """A portal on a catalogue with records of which some cannot be used."""
    with scicat_site() as running:
        yield running


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_records_left_out_are_named_and_can_be_read(
    site: ScicatSite, browser: Browser, width: int, scheme: str
) -> None:
    """Above the proposals that can be used; each with its id and the reason, on the pages it belongs to."""
    with visitors(browser, site.portal) as arrive:
        anna = arrive(width=width)
        page = anna.page
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its literals
        anna.login("anna")
        notice = page.locator("#proposals .notice")
        expect(notice).to_contain_text("Some of your records cannot be used.")
        expect(notice.get_by_role("listitem")).to_have_count(2)
        assert notice.bounding_box()["y"] < page.locator("table.proposals").bounding_box()["y"]  # type: ignore[index]
        for where, name in (("home", ""), ("proposal", f"proposals/{SLASH}"), ("missing", "proposals/c4")):
            page.goto(f"{site.portal.url}/hub/{name or 'home'}")
            anna.keep_picture(f"left-out-{where}-{width}-{scheme}")
            assert page.evaluate(CONTRAST) == [], where
            assert page.evaluate("document.documentElement.scrollWidth") <= width, where
        expect(page.locator("main")).to_contain_text("Proposal c4 cannot be shown: its group")
