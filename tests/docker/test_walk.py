"""The walk of first light, in containers: from login to PyMca on real data, and a file handed on to a colleague."""

from __future__ import annotations

import re
from collections.abc import Callable

import docker
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Guest
from tests.browser.test_walk import (
    FIRST_SPECTRUM,
    OPEN_BUTTON,
    SAVE_CURVE_BUTTON,
    answer_dialog,
    dark_pixels_of_the_plot,
)
from tests.browser.windows import Screen
from tests.live_portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.docker]


def test_two_people_analyse_one_proposal_in_containers(
    portal: Portal, applications: docker.APIClient, guest: Callable[..., Guest]
) -> None:
    """R02, R10, AL19, AL43, AL58, ES05, ES25, ES26, ES40: PyMca on raw data, its result in a colleague's JupyterLab."""
    anna, ben = guest("anna"), guest("ben")
    anna.launch("PyMca", "MA-4242")
    ben.launch("JupyterLab", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("PyMca, MA-4242 visit 2")
    screen.wait_for_window("PyMca - [Main Window]")
    screen.wait_for(lambda: screen.size() == (1400, 900), "the screen has the browser's size")
    anna.page.wait_for_timeout(2500)
    anna.keep_picture("docker-pymca-start")
    anna.page.mouse.click(*OPEN_BUTTON)
    answer_dialog(anna, screen, "Open a new source file", "data/XRFSpectrum.mca")
    anna.page.wait_for_timeout(1500)
    anna.page.mouse.click(*FIRST_SPECTRUM)
    anna.page.wait_for_timeout(1500)
    anna.keep_picture("docker-pymca")
    assert dark_pixels_of_the_plot(anna) > 200, "no curve is drawn; see test-output/docker-pymca.png"
    anna.page.mouse.click(*SAVE_CURVE_BUTTON)
    answer_dialog(anna, screen, "Output File Selection", "processed/glass.mca")
    saved = portal.state / "processed" / "MA-4242" / "glass.mca"
    screen.wait_for(saved.exists, "the saved file")
    assert (saved.stat().st_uid, saved.stat().st_gid, saved.stat().st_mode & 0o777) == (25001, 26001, 0o660)

    ben.page.wait_for_url("**/user/**/lab**", timeout=60_000)
    ben.page.goto(re.sub(r"/lab.*", "/lab/tree/processed/glass.mca", ben.page.url))
    expect(ben.page.locator(".cm-content").first).to_contain_text("#S 1", timeout=40_000)
    ben.keep_picture("docker-lab")
    hers = ben.context.new_page()
    answer = hers.goto(anna.page.url)
    assert answer is not None
    assert answer.status in (403, 404)
    hers.close()
    anna.require_quiet()
    ben.require_quiet()
