"""A facility whose portal the chart installs: its accounts, claims and applications, and sessions of anna."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from tests.cluster.cluster import Cluster
from tests.cluster.installed import Installed, volume_of
from tests.cluster.portal import on_the_node

TOKEN = "0123456789abcdef" * 2
HEADERS = {"Authorization": f"token {TOKEN}"}
UID, GROUP = 25001, 26001
#: Sessions that run when the chart is upgraded, and as many that are being started; `make test-chart-upgrade` has ten.
EACH = int(os.environ.get("DAAS_UPGRADE_SESSIONS", "2"))
CONFIG = f"""\
from pathlib import PurePosixPath

from daas_hub.accounts import Identity
from daas_hub.spawners.kubernetes.volumes import ClaimStorage

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.Facility.identity_of = lambda user, auth_state: Identity("https://login.facility.org", user.name)
c.Facility.timezone = "Europe/Paris"
c.Facility.sessions_per_person = {2 * EACH + 2}
c.MountRules.data = ["/data/visitor/{{proposal}}"]
c.MountRules.processed = "/data/processed/{{proposal}}"
c.MountRules.home = "/home/{{account}}"
c.ProposalKubeSpawner.image_pull_policy = "Never"
c.ProposalKubeSpawner.storage = [
    ClaimStorage(PurePosixPath("/data/visitor"), claim="visitor"),
    ClaimStorage(PurePosixPath("/data/processed"), claim="processed"),
    ClaimStorage(PurePosixPath("/home"), claim="homes"),
]
c.JupyterHub.services = [{{"name": "test", "api_token": "{TOKEN}"}}]
c.JupyterHub.load_roles = [{{
    "name": "test", "services": ["test"],
    "scopes": ["admin:users", "admin:servers", "servers", "read:users", "access:servers"],
}}]
"""
ACCOUNTS = f"""\
accounts:
  - name: anna
    display_name: Anna Lindqvist
    uid: {UID}
    gid: {UID}
    groups: {{ma-4242: {GROUP}}}
    logins: [{{issuer: "https://login.facility.org", subject: anna}}]
"""
PROPOSALS = f"""\
proposals:
  - id: MA-4242
    title: Trace elements in Roman glass
    beamlines: [ID21]
    members: [anna]
    gid: {GROUP}
    visits: [{{number: 1, beamline: ID21, start: 2026-03-09T08:00:00Z, end: 2026-03-12T08:00:00Z}}]
  - id: MA-4243
    title: Without any directory
    beamlines: [ID21]
    members: [anna]
    gid: {GROUP}
    visits: [{{number: 1, beamline: ID21, start: 2026-03-09T08:00:00Z, end: 2026-03-12T08:00:00Z}}]
"""
TERMINAL = """\
name: terminal
title: Terminal
kind: desktop
command: [lxterminal]
sizes: [small]
image: {image}
"""
#: All of them fit on a node of two processors.
SIZES = f"""\
sizes:
  small: {{title: Small, memory: {1024 // EACH} MiB, cpus: {round(0.4 / EACH, 2)}, processes: 300, hours: 2}}
"""
#: Long enough for programs with so little of a processor.
START_S = 120 + 30 * EACH


def make_data(state: Path) -> dict[str, Path]:
    """Make the facility's directories, each the content of one claim."""
    folders = {name: state / name for name in ("visitor", "processed", "homes")}
    for folder in folders.values():
        folder.mkdir()
        folder.chmod(0o755)
    for name, mode, uid, gid in (
        ("visitor", 0o750, 0, GROUP), ("processed", 0o2770, 0, GROUP), ("homes", 0o700, UID, UID),
    ):  # fmt: skip
        folder = folders[name] / ("anna" if name == "homes" else "MA-4242")
        folder.mkdir()
        os.chown(folder, uid, gid)
        folder.chmod(mode)
    (folders["visitor"] / "MA-4242" / "raw.txt").write_text("raw\n")
    (folders["visitor"] / "MA-4242" / "raw.txt").chmod(0o644)
    return folders


def values() -> dict[str, Any]:
    """Return the values of the portal."""
    return {
        "config": CONFIG,
        "files": {"accounts.yaml": ACCOUNTS, "proposals.yaml": PROPOSALS},
        "applications": {
            "terminal.yaml": TERMINAL.format(image=on_the_node("desktop")),
            "sizes.yaml": SIZES,
        },
        "sessions": {"imagePrefixes": ["localhost/daas-hub/"]},
        "hub": {"resources": {"requests": {"cpu": "100m"}}},
        "proxy": {"resources": {"requests": {"cpu": "100m"}}},
    }


@contextlib.contextmanager
def claims(cluster: Cluster, namespace: str, folders: Mapping[str, Path]) -> Iterator[None]:
    """Create in a namespace a claim for each of the facility's directories."""
    volumes = []
    try:
        for name, folder in folders.items():
            volume = f"{namespace}-{name}"
            cluster.create(volume_of(volume, folder, volume))
            volumes.append(volume)
            spec = {
                "accessModes": ["ReadWriteMany"], "storageClassName": volume,
                "resources": {"requests": {"storage": "1Gi"}},
            }  # fmt: skip
            claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
            cluster.create(claim, "-n", namespace)
        yield
    finally:
        for volume in volumes:
            cluster.kubectl("delete", "persistentvolume", volume, "--wait=false")


# -- sessions of anna, at the hub's API and in the cluster ------------------------------------------------------------


def start(installed: Installed, name: str, **more: str) -> None:
    """Ask for a session of anna."""
    options = {"application": "terminal", "proposal": "MA-4242", "visit": 1, **more}
    requests.post(f"{installed.url}/hub/api/users/anna", headers=HEADERS, timeout=30)
    answer = requests.post(
        f"{installed.url}/hub/api/users/anna/servers/{name}", headers=HEADERS, json=options, timeout=60
    )
    assert answer.status_code in (201, 202), answer.text


def servers(installed: Installed) -> dict[str, Any]:
    """Return anna's sessions as the hub knows them; {} while it does not answer."""
    try:
        answer = requests.get(f"{installed.url}/hub/api/users/anna", headers=HEADERS, timeout=30)
    except requests.ConnectionError:
        return {}
    found: dict[str, Any] = answer.json()["servers"] if answer.status_code == 200 else {}
    return found


def ready(installed: Installed) -> set[str]:
    """Return the names of the sessions that are ready."""
    return {name for name, server in servers(installed).items() if server["ready"]}


def stop(installed: Installed, *names: str) -> None:
    """Stop sessions of anna, and remove them."""
    for name in names:
        address = f"{installed.url}/hub/api/users/anna/servers/{name}"
        assert requests.delete(address, headers=HEADERS, json={"remove": True}, timeout=60).status_code in (202, 204)


def pods(installed: Installed, namespace: str = "") -> dict[str, str]:
    """Return the pods of sessions that are not ending, with their uid; by default, where the chart has them."""
    where = namespace or installed.sessions
    found = installed.cluster.get("-n", where, "pod", "-l", "app.kubernetes.io/managed-by=daas-hub")
    return {
        each["metadata"]["name"]: each["metadata"]["uid"]
        for each in found["items"]
        if "deletionTimestamp" not in each["metadata"]
    }
