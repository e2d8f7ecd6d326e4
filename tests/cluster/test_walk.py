"""The walk of first light, in pods: from login to PyMca on real data, and a file handed on to a colleague."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import SessionUser, browser, guest, stop_first
from tests.browser.pages import read_in_lab, require_closed_to, save_a_curve
from tests.browser.windows import Screen
from tests.cluster.cluster import within
from tests.cluster.portal import ClusterPortal, on_the_node
from tests.live_portal import Portal

__all__ = ["browser", "guest"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def images() -> dict[str, str]:
    """The images of the applications, on the node."""
    return {name: on_the_node(name) for name in ("desktop", "pymca", "notebook")}


@pytest.fixture
def portal(place: ClusterPortal) -> Portal:
    """The portal, as people's browsers know it."""
    return place.portal


def test_two_people_analyse_one_proposal_in_pods(
    place: ClusterPortal, portal: Portal, guest: Callable[..., SessionUser]
) -> None:
    """PyMca on raw data, its result in a colleague's JupyterLab; only the place differs from the other walks."""
    anna, ben = guest("anna"), guest("ben")
    anna.launch("PyMca", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("PyMca, MA-4242 visit 2")
    screen.wait_for_window("PyMca - [Main Window]")
    screen.wait_for(lambda: screen.size() == (1400, 900), "the screen has the browser's size")
    anna.page.wait_for_timeout(2500)
    saved = save_a_curve(anna, screen, portal, "cluster-pymca")
    assert (saved.stat().st_uid, saved.stat().st_gid, saved.stat().st_mode & 0o777) == (25001, 26001, 0o660)
    ben.launch("JupyterLab", "MA-4242")
    read_in_lab(ben, "cluster-lab")
    require_closed_to(ben, anna)
    anna.require_quiet()
    ben.require_quiet()
    for person in (anna, ben):
        person.page.goto(f"{portal.url}/hub/home")
        stop_first(person.page)
    within(60, lambda: not place.pods())
