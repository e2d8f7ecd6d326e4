"""JupyterLab of the image `notebook` in a container, with the server extensions that the image brings."""

from __future__ import annotations

from collections.abc import Callable

import docker
import pytest

from tests.browser.conftest import SessionUser
from tests.browser.pages import require_extensions
from tests.docker.engine import containers
from tests.live_portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.docker]


def test_jupyterlab_shows_its_limit_has_git_and_opens_hdf5_files(
    portal: Portal, applications: docker.APIClient, guest: Callable[..., SessionUser]
) -> None:
    ben = guest("ben")
    ben.launch("JupyterLab", "MA-4242")
    ben.page.wait_for_url("**/user/**/lab**", timeout=60_000)
    found = [applications.inspect_container(one["Id"]) for one in containers(applications, portal)]
    require_extensions(ben, [one["HostConfig"]["Memory"] for one in found])
    ben.require_quiet()
