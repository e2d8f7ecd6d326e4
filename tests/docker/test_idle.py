"""Idle containers end, by real use: keys, pointer and kernels count, an open page does not, and a processor vetoes."""

from __future__ import annotations

import docker
import pytest

from tests.docker.engine import containers, image, start_docker_portal
from tests.idle_portal import CONFIG, applications, require_right_ends_of_desktops, require_right_ends_of_notebooks
from tests.idle_scenes import running_scenes
from tests.live_portal import remove

pytestmark = [pytest.mark.docker, pytest.mark.ends]


def test_what_nobody_uses_ends(engine: docker.APIClient, notebook_application: str) -> None:
    portal = start_docker_portal(more_config=CONFIG, **applications(image("desktop"), image("notebook")))
    try:
        with running_scenes(portal) as scenes:
            require_right_ends_of_notebooks(scenes)
            require_right_ends_of_desktops(scenes)
            assert containers(engine, portal) == []
    finally:
        portal.stop()
        remove(portal)
