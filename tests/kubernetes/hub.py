"""A real portal whose sessions are pods of an API server without nodes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.conftest import SIZES
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.kubelet import Kubelet
from tests.live_portal import Person, Portal, free_ports, new_state, remove, start_portal
from tests.waiting import within

CONFIG = """
from pathlib import PurePosixPath
from daas_hub.spawners.kubernetes.volumes import ClaimStorage
c.Facility.catalogue = [{applications!r}]
c.JupyterHub.spawner_class = "proposal-kubernetes"
c.ProposalKubeSpawner.hub_id = {hub_id!r}
c.ProposalKubeSpawner.k8s_api_host = {url!r}
c.ProposalKubeSpawner.k8s_api_ssl_ca_cert = {ca!r}
c.ProposalKubeSpawner.token_file = {token!r}
c.ProposalKubeSpawner.namespace = {namespace!r}
c.ProposalKubeSpawner.gateway_bind = {gateway!r}
c.ProposalKubeSpawner.gateway_address = {gateway!r}
c.ProposalKubeSpawner.storage = [ClaimStorage(PurePosixPath("/"), claim="facility")]
c.ProposalKubeSpawner.pods = {{"allow_tags": True, "port": {port}}}
c.ProposalKubeSpawner.runtime_dir = {runtime_dir!r}
c.ProposalKubeSpawner.reconcile_interval_s = 2
c.ProposalKubeSpawner.stop_timeout_s = 3
c.ProposalKubeSpawner.grace_period_s = 1
c.ProposalKubeSpawner.poll_interval = 1
"""
TERMINAL = """\
name: terminal
title: Terminal
kind: desktop
command: [xterm]
sizes: [ample]
image: registry.example.org/terminal:1
"""
PLACE_SIZES = SIZES + "  ample: {title: Ample, memory: 1 GiB, cpus: 1, processes: 500, hours: 12}\n"
BRIEF = TERMINAL.replace("terminal\ntitle: Terminal", "brief\ntitle: Brief").replace("[ample]", "[brief]")


@dataclass
class Place:
    """A portal, the namespace of its sessions, and who plays the kubelet there."""

    api: ApiServer
    namespace: str
    kubelet: Kubelet
    state: Path
    config: str
    hub_id: str
    portal: Portal

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods of this hub."""
        return [
            one for one in self.api.pods(self.namespace) if one["metadata"]["labels"]["daas-hub/hub"] == self.hub_id
        ]

    def restart(self) -> None:
        """Start a hub again that was ended."""
        self.portal = start_portal(
            self.state / "applications", state=self.state, port=self.portal.port, more_config=self.config
        )

    def doctor(self) -> str:
        """Return what the doctor says of the portal."""
        argv = [str(Path(sys.prefix) / "bin" / "daas-hub"), "doctor", str(self.state / "test_config.py")]
        given = {"DAAS_DEMO_PORT": str(self.portal.port), "DAAS_DEMO_STATE": str(self.state)}
        found = subprocess.run(argv, env=os.environ | given, capture_output=True, text=True, check=False, timeout=120)
        return " ".join(found.stdout.split())

    def kill(self) -> None:
        """Kill the hub."""
        self.portal.process.kill()
        self.portal.process.wait()

    def stop(self) -> None:
        """End everything."""
        self.kubelet.stop()
        self.portal.stop()
        remove(self.portal)


def start_place(
    api: ApiServer, namespace: str, *, more_config: str = "", url: str = "", like: Place | None = None,
    documents: Mapping[str, str] = MappingProxyType({}),
) -> Place:  # fmt: skip
    """Start a portal; whoever starts it stops it.

    Args:
        documents: further application files by name, or others instead of the usual ones.
        url: of the API server, where something is between it and the hub.
        like: a portal whose `hub_id` this one has by mistake.
    """
    state = new_state()
    applications = state / "applications"
    applications.mkdir()
    for name, text in ({"terminal": TERMINAL, "brief": BRIEF, "sizes": PLACE_SIZES} | dict(documents)).items():
        (applications / f"{name}.yaml").write_text(text)
    hub_id = like.hub_id if like else f"hub-{secrets.token_hex(3)}"
    kubelet = like.kubelet if like else Kubelet(api, namespace, hub_id)
    config = CONFIG.format(
        applications=str(applications),
        hub_id=hub_id,
        url=url or api.url,
        ca=str(api.ca),
        token=str(api.folder / "hub.token"),
        namespace=namespace,
        gateway=f"127.0.0.1:{free_ports(1)}",
        port=kubelet.port,
        runtime_dir=str(state / "run"),
    )
    try:
        portal = start_portal(applications, state=state, more_config=config + more_config)
    except BaseException:
        if like is None:
            kubelet.stop()
        raise
    return Place(api, namespace, kubelet, state, config + more_config, hub_id, portal)


@contextmanager
def running_place(
    api: ApiServer, namespace: str, *, more_config: str = "", documents: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Place]:
    """Run a portal (see `start_place`)."""
    running = start_place(api, namespace, more_config=more_config, documents=documents)
    try:
        yield running
    finally:
        running.stop()


def as_json(pod: dict[str, Any]) -> str:
    """Return all that a reader of the namespace sees of a pod."""
    return json.dumps(pod)


def servers(person: Person) -> dict[str, Any]:
    """Return somebody's sessions, as the hub's API has them."""
    found: dict[str, Any] = person.get(f"/hub/api/users/{person.name}").json().get("servers", {})
    return found


@contextmanager
def signed_in(place: Place, name: str = "anna") -> Iterator[Person]:
    """Sign somebody in; stop their sessions afterwards, and wait until no pod is left."""
    person = place.portal.login(name)
    yield person
    for session in servers(person):
        person.stop(session)
    within(30, lambda: not place.pods())
