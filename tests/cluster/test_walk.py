"""The walk of first light in three places of one portal: login, PyMca, a notebook, a colleague, Stop, time limit.

Only the place differs, and the hub is killed in the middle. The tests of this file are parts of one walk, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import SessionUser, browser, visitors
from tests.browser.pages import (
    launch_in,
    open_notebook,
    read_in_lab,
    require_closed_to,
    run_cell,
    save_a_curve,
    write_notebook,
)
from tests.browser.windows import Screen
from tests.cluster.three_places import TITLES, ThreePlaces
from tests.waiting import within

__all__ = ["browser"]

pytestmark = [pytest.mark.browser, pytest.mark.docker, pytest.mark.sandbox]

IN_EACH_PLACE = pytest.mark.parametrize("place", TITLES)
#: Two cells, of which the second needs the kernel of the first.
CELLS = [
    "from pathlib import Path; spectrum = Path('data/XRFSpectrum.mca').read_text(); print('read', len(spectrum))",
    "print('still', len(spectrum))",
]


@dataclass
class Walk:
    """Two people in one place, with a window of the browser each."""

    anna: SessionUser
    ben: SessionUser
    screen: Screen


@pytest.fixture(scope="module")
def arrive(browser: Browser, places: ThreePlaces) -> Iterator[Callable[..., SessionUser]]:
    """Let people arrive, whose windows stay open for the whole walk."""
    with visitors(browser, places.portal) as arriving:
        yield arriving


@pytest.fixture(scope="module")
def walks() -> dict[str, Walk]:
    """The walk of each place, as far as it has come."""
    return {}


@IN_EACH_PLACE
def test_two_people_analyse_one_proposal(
    place: str, places: ThreePlaces, arrive: Callable[..., SessionUser], walks: dict[str, Walk]
) -> None:
    """R02, AL19, AL43, AL58, ES05, ES25, ES26: PyMca on raw data, its result in a colleague's JupyterLab."""
    portal = places.portal
    anna, ben = arrive(width=1400), arrive(width=1400)
    anna.login("anna")
    ben.login("ben")
    launch_in(anna, TITLES[place], "PyMca", "MA-4242")
    launch_in(ben, TITLES[place], "JupyterLab", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("PyMca, MA-4242 visit 2")
    screen.wait_for_window("PyMca - [Main Window]", timeout_s=90)
    screen.wait_for(lambda: screen.size() == (1400, 900), "the screen has the browser's size")
    anna.page.wait_for_timeout(2500)
    saved = save_a_curve(anna, screen, portal, f"{place}-pymca")
    assert (saved.stat().st_uid, saved.stat().st_gid, saved.stat().st_mode & 0o777) == (25001, 26001, 0o660)
    read_in_lab(ben, f"{place}-lab")
    saved.unlink()
    write_notebook(portal, f"{place}.ipynb", CELLS)
    open_notebook(ben, f"{place}.ipynb")
    run_cell(ben, 0, "read ")
    require_closed_to(ben, anna)
    anna.require_quiet()
    ben.require_quiet()
    assert len(places.running()[place]) == 2
    walks[place] = Walk(anna, ben, screen)


def test_all_sessions_outlive_the_hub(places: ThreePlaces, walks: dict[str, Walk]) -> None:
    """It is killed, and another one takes over: in no place was one ended, orphaned or started again."""
    before = places.running()
    assert {place: len(running) for place, running in before.items()} == dict.fromkeys(TITLES, 2)
    places.restart()
    for walk in walks.values():
        for person in (walk.anna, walk.ben):
            # what their browsers say while the portal is away is not part of this
            person.page.goto(f"{places.portal.url}/hub/home")
            person.complaints.clear()
            cards = person.page.locator("article.session[data-state=running]")
            expect(cards).to_have_count(len(TITLES))
    assert places.running() == before


@IN_EACH_PLACE
def test_work_continues_and_ends(place: str, places: ThreePlaces, walks: dict[str, Walk]) -> None:
    """The same window and the same kernel; then the time limit of another session, and Stop."""
    walk = walks[place]
    anna, ben = walk.anna, walk.ben
    launch_in(anna, TITLES[place], "Brief")
    open_session(anna, place, "PyMca")
    anna.wait_for_picture()
    walk.screen.wait_for_window("PyMca - [Main Window]", timeout_s=90)
    open_session(ben, place, "JupyterLab")
    ben.page.wait_for_url("**/lab**")
    open_notebook(ben, f"{place}.ipynb")
    run_cell(ben, 1, "still ")
    for person, application in ((anna, "PyMca"), (ben, "JupyterLab")):
        person.page.goto(f"{places.portal.url}/hub/home")
        card_of(person, place, application).get_by_role("button", name="Stop").click()
        person.page.get_by_role("button", name="Stop", exact=True).click()
        expect(card_of(person, place, application)).to_have_count(0)
    expect(card_of(anna, place, "Brief")).to_contain_text("It reached its time limit.", timeout=60_000)
    anna.require_quiet()
    ben.require_quiet()
    within(60, lambda: places.running()[place] == [])


def card_of(person: SessionUser, place: str, application: str) -> Locator:
    """Return the card of a session on the home page."""
    cards = person.page.locator("article.session", has_text=TITLES[place])
    return cards.filter(has=person.page.get_by_role("heading", name=application))


def open_session(person: SessionUser, place: str, application: str) -> None:
    """Open a session that runs, by its card."""
    person.page.goto(f"{person.portal.url}/hub/home")
    card_of(person, place, application).get_by_role("link", name="Open").click()
