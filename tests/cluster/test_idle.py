"""Idle pods end, by real use: keys, pointer and kernels count, an open page does not, and a processor vetoes.

So it is with the node proxy, which takes an open page for activity, and with Traefik, which reports none at all.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.conftest import namespace_of_sessions
from tests.cluster.portal import ClusterPortal, on_the_node, start_cluster_portal
from tests.idle_portal import CONFIG, applications, require_right_ends_of_desktops, require_right_ends_of_notebooks
from tests.idle_scenes import running_scenes
from tests.live_portal import remove
from tests.traefik import traefik_config
from tests.waiting import within

NODE, TRAEFIK = "node proxy", "Traefik"


@pytest.fixture(
    params=[pytest.param(NODE, marks=pytest.mark.ends), pytest.param(TRAEFIK, marks=pytest.mark.servers)],
    ids=["node", "traefik"],
)
def proxy(request: pytest.FixtureRequest) -> str:
    """Which proxy is before the hub and the sessions."""
    return str(request.param)


@pytest.fixture
def idle_place(cluster: Cluster, proxy: str) -> Iterator[ClusterPortal]:
    """A portal with these applications in a namespace of its own."""
    config = CONFIG + (traefik_config() if proxy == TRAEFIK else "")
    images = {"desktop": on_the_node("desktop"), "notebook": on_the_node("notebook")}
    with namespace_of_sessions(cluster) as namespace:
        documents = applications(images["desktop"], images["notebook"])
        running = start_cluster_portal(cluster, namespace, images, more_config=config, documents=documents)
        try:
            yield running
        finally:
            running.portal.stop()
            remove(running.portal)


def test_what_nobody_uses_ends(idle_place: ClusterPortal, proxy: str) -> None:
    log = idle_place.portal.log
    assert ("TraefikFileProviderProxy" in log.read_text()) == (proxy == TRAEFIK)
    with running_scenes(idle_place.portal) as scenes:
        require_right_ends_of_notebooks(scenes)
        require_right_ends_of_desktops(scenes)
        within(60, lambda: not idle_place.pods())
