"""Idle containers end, by real use: keys, pointer and kernels count, an open page does not, and a processor vetoes.

They end, and at their time limit, too, while the hub is away.
"""

from __future__ import annotations

import docker
import pytest

from tests.docker.engine import containers, image, start_docker_portal
from tests.idle_portal import (
    CONFIG,
    IDLE_S,
    applications,
    require_right_ends_of_desktops,
    require_right_ends_of_notebooks,
)
from tests.idle_scenes import running_scenes
from tests.live_portal import remove
from tests.places import kill, kill_rest

pytestmark = [pytest.mark.docker, pytest.mark.ends]

#: A time limit that comes before a session that is not used is idle.
BRIEF = f"  brief: {{title: Brief, memory: 512 MiB, cpus: 0.2, processes: 500, hours: {(IDLE_S - 1) / 3600}}}\n"


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


def test_ends_hold_while_the_hub_is_away(engine: docker.APIClient) -> None:
    """Nobody uses one, another reaches its time limit, and a third one computes; a new hub says why they ended."""
    documents = applications(image("desktop"), image("notebook"))
    documents["sizes"] += BRIEF
    portal = start_docker_portal(more_config=CONFIG, **documents)
    try:
        with running_scenes(portal) as scenes:
            scenes.names = {scene: scenes.anna.launch(scene) for scene in ("busy", "quiet", "brief")}
            kill(portal)
            scenes.wait(lambda: [one["State"] for one in containers(engine, portal)].count("running") == 1, IDLE_S + 60)
            again = start_docker_portal(state=portal.state, port=portal.port, more_config=CONFIG)
            portal.process = again.process
            scenes.wait(lambda: scenes.state("quiet") == scenes.state("brief") == "ended", 30)
            assert scenes.notice("quiet") == f"It was idle for {IDLE_S} seconds."
            assert scenes.notice("brief") == "It reached its time limit."
            assert scenes.state("busy") == "running"
            scenes.wait(lambda: [one["State"] for one in containers(engine, portal)] == ["running"], 30)
            scenes.anna.stop(scenes.names["busy"])
            scenes.wait(lambda: containers(engine, portal) == [], 30)
    finally:
        portal.stop()
        kill_rest(portal)
        remove(portal)
