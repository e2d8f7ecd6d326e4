"""One portal with three places: this machine's sandbox, its container engine, and the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import docker

from daas_hub.spawners.sandbox.processes import marked_processes
from tests.cluster.cluster import Cluster
from tests.cluster.portal import ClusterPortal, on_the_node, start_cluster_portal
from tests.docker.engine import address, containers, image
from tests.live_portal import Portal, remove, start_portal
from tests.places import config_of, kill, kill_rest

#: The places by name, with their titles; the cluster's settings are those of every portal of these tests.
TITLES = {"here": "This machine", "engine": "Container host", "cluster": "Cluster"}
SPAWNERS = {"here": "sandbox", "engine": "proposal-docker", "cluster": "proposal-kubernetes"}
SETTINGS = """
c.ProposalDockerSpawner.engine = {engine!r}
c.ProposalDockerSpawner.runtime_dir = c.ProposalKubeSpawner.runtime_dir
c.SandboxSpawner.runtime_dir = c.ProposalKubeSpawner.runtime_dir
c.ProposalKubeSpawner.pods = {{"allow_tags": True}}
"""


@dataclass
class ThreePlaces:
    """The portal, and what each place has of it, whatever the hub says."""

    cluster_portal: ClusterPortal
    engine: docker.APIClient

    @property
    def portal(self) -> Portal:
        return self.cluster_portal.portal

    @property
    def gateway(self) -> str:
        """The session gateway, as pods see it."""
        return self.cluster_portal.gateway

    def sandboxes(self) -> list[str]:
        return sorted(marked_processes(self.portal.state / "run" / "places" / "here" / "sessions"))

    def containers(self) -> list[str]:
        return sorted(one["Id"] for one in containers(self.engine, self.portal))

    def pods(self) -> list[str]:
        return sorted(one["metadata"]["uid"] for one in self.cluster_portal.pods())

    def running(self) -> Mapping[str, list[str]]:
        """Return what runs, by place."""
        looks: Mapping[str, Callable[[], list[str]]] = {
            "here": self.sandboxes, "engine": self.containers, "cluster": self.pods
        }  # fmt: skip
        return {place: look() for place, look in looks.items()}

    def restart(self) -> None:
        """Kill the hub alone, and start it again; its proxy and its sessions continue meanwhile."""
        kill(self.portal)
        self.portal.process = start_portal(
            self.portal.state / "applications",
            state=self.portal.state,
            port=self.portal.port,
            more_config=self.cluster_portal.config,
        ).process


@contextmanager
def three_places(cluster: Cluster, namespace: str, engine: docker.APIClient) -> Iterator[ThreePlaces]:
    """Run the portal, whose applications have the same images on the engine and on the node."""
    images = {}
    for name in ("desktop", "pymca", "notebook"):
        on_the_node(name)
        # the engine of the tests has no registry, and so no digests
        images[name] = image(name)
    places = {name: {"spawner": SPAWNERS[name], "title": title} for name, title in TITLES.items()}
    more = config_of(places, more=SETTINGS.format(engine=address()))
    running = ThreePlaces(start_cluster_portal(cluster, namespace, images, place="cluster", more_config=more), engine)
    try:
        yield running
    finally:
        running.portal.stop()
        kill_rest(running.portal)
        remove(running.portal)
