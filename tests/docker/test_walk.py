"""The walk of first light, in containers: from login to PyMca on real data, and a file handed on to a colleague."""

from __future__ import annotations

from collections.abc import Callable

import docker
import pytest

from tests.browser.conftest import SessionUser
from tests.browser.pages import (
    read_in_lab,
    require_closed_to,
    require_extensions,
    save_a_curve,
)
from tests.browser.windows import Screen
from tests.docker.engine import containers
from tests.live_portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.docker]


def test_two_people_analyse_one_proposal_in_containers(
    portal: Portal, applications: docker.APIClient, guest: Callable[..., SessionUser]
) -> None:
    """R02, AL19, AL43, AL58, ES05, ES25, ES26: PyMca on raw data, its result in a colleague's JupyterLab."""
    anna, ben = guest("anna"), guest("ben")
    anna.launch("PyMca", "MA-4242")
    ben.launch("JupyterLab", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("PyMca, MA-4242 visit 2")
    screen.wait_for_window("PyMca - [Main Window]")
    screen.wait_for(lambda: screen.size() == (1400, 900), "the screen has the browser's size")
    anna.page.wait_for_timeout(2500)
    saved = save_a_curve(anna, screen, portal, "docker-pymca")
    assert (saved.stat().st_uid, saved.stat().st_gid, saved.stat().st_mode & 0o777) == (25001, 26001, 0o660)
    read_in_lab(ben, "docker-lab")
    limits = [
        applications.inspect_container(one["Id"])["HostConfig"]["Memory"] for one in containers(applications, portal)
    ]
    require_extensions(ben, limits)
    require_closed_to(ben, anna)
    anna.require_quiet()
    ben.require_quiet()
