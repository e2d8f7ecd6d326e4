"""A hub in the cluster, as the chart installs it: sessions with claims in a *restricted* namespace, and an upgrade.

What it asked of the API server is compared with its Role: the rights are the least.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cluster.chart import CHART
from tests.cluster.cluster import Cluster, within
from tests.cluster.installed import WAIT, Installed, installed_chart, volume_of
from tests.cluster.portal import on_the_node
from tests.kubernetes.rights import granted, used

TOKEN = "0123456789abcdef" * 2
HEADERS = {"Authorization": f"token {TOKEN}"}
UID, GROUP = 25001, 26001
#: Sessions that run when the chart is upgraded, and as many that are being started; `make upgrade-test` has ten.
EACH = int(os.environ.get("DAAS_UPGRADE_SESSIONS", "2"))
CONFIG = f"""\
from pathlib import PurePosixPath

from daas_hub.accounts import Identity
from daas_hub.spawners.kubernetes.volumes import ClaimStorage

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.Facility.identity_of = lambda user, auth_state: Identity("https://login.facility.org", user.name)
c.Facility.timezone = "Europe/Paris"
c.Facility.sessions_per_person = {2 * EACH + 1}
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
"""
TERMINAL = """\
name: terminal
title: Terminal
kind: desktop
command: [lxterminal]
sizes: [small]
image: {image}
"""
#: Ends before it has shown anything.
SHORT = TERMINAL.replace("terminal\ntitle: Terminal", "short\ntitle: Short").replace("[lxterminal]", "['false']")
#: All of them fit on a node of two processors.
SIZES = f"""\
sizes:
  small: {{title: Small, memory: {1024 // EACH} MiB, cpus: {round(0.4 / EACH, 2)}, processes: 300, hours: 2}}
"""
#: Long enough for programs with so little of a processor.
START_S = 120 + 30 * EACH


def _make_data(state: Path) -> dict[str, Path]:
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


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[Installed]:
    """A portal in the cluster, with the claims of a facility in the namespace of its sessions."""
    values = {
        "config": CONFIG,
        "files": {"accounts.yaml": ACCOUNTS, "proposals.yaml": PROPOSALS},
        "applications": {
            "terminal.yaml": TERMINAL.format(image=on_the_node("desktop")),
            "short.yaml": SHORT.format(image=on_the_node("desktop")),
            "sizes.yaml": SIZES,
        },
        "sessions": {"imagePrefixes": ["localhost/daas-hub/"]},
        "hub": {"resources": {"requests": {"cpu": "100m"}}},
        "proxy": {"resources": {"requests": {"cpu": "100m"}}},
    }
    state = Path(tempfile.mkdtemp(prefix="daas-facility-"))
    state.chmod(0o755)
    volumes = []
    try:
        with installed_chart(cluster, values) as release:
            for name, folder in _make_data(state).items():
                volume = f"{release.namespace}-{name}"
                cluster.create(volume_of(volume, folder, volume))
                volumes.append(volume)
                spec = {
                    "accessModes": ["ReadWriteMany"], "storageClassName": volume,
                    "resources": {"requests": {"storage": "1Gi"}},
                }  # fmt: skip
                claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
                cluster.create(claim, "-n", release.sessions)
            within(30, lambda: requests.get(f"{release.url}/hub/login", timeout=30).status_code == 200)
            yield release
    finally:
        for volume in volumes:
            cluster.kubectl("delete", "persistentvolume", volume, "--wait=false")
        shutil.rmtree(state, ignore_errors=True)


def start(installed: Installed, name: str, application: str = "terminal") -> None:
    """Ask for a session of anna."""
    options = {"application": application, "proposal": "MA-4242", "visit": 1}
    requests.post(f"{installed.url}/hub/api/users/anna", headers=HEADERS, timeout=30)
    answer = requests.post(
        f"{installed.url}/hub/api/users/anna/servers/{name}", headers=HEADERS, json=options, timeout=60
    )
    assert answer.status_code in (201, 202), answer.text


def servers(installed: Installed) -> dict[str, Any]:
    """Return anna's sessions as the hub knows them; {} while it does not answer."""
    answer = requests.get(f"{installed.url}/hub/api/users/anna", headers=HEADERS, timeout=30)
    found: dict[str, Any] = answer.json()["servers"] if answer.status_code == 200 else {}
    return found


def ready(installed: Installed) -> set[str]:
    """Return the names of the sessions that are ready."""
    return {name for name, server in servers(installed).items() if server["ready"]}


def pods(installed: Installed) -> dict[str, str]:
    """Return the pods of sessions that are not ending, with their uid."""
    found = installed.cluster.get("-n", installed.sessions, "pod", "-l", "app.kubernetes.io/managed-by=daas-hub")
    return {
        each["metadata"]["name"]: each["metadata"]["uid"]
        for each in found["items"]
        if "deletionTimestamp" not in each["metadata"]
    }


def test_a_session_is_a_restricted_pod_with_the_accounts_claims(installed: Installed) -> None:
    start(installed, "first")
    within(120, lambda: "first" in ready(installed))
    (name,) = pods(installed)
    found = installed.cluster.get("-n", installed.sessions, "pod", name)
    security = found["spec"]["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (UID, UID)
    assert GROUP in security["supplementalGroups"]
    claims = [each.get("persistentVolumeClaim", {}).get("claimName") for each in found["spec"]["volumes"]]
    assert {one for one in claims if one} == {"visitor", "processed", "homes"}
    assert found["spec"]["priorityClassName"] == f"{installed.namespace}-portal-sessions"
    # a person's browser reaches it through the proxy, and is sent to sign in
    page = requests.get(f"{installed.url}/user/anna/first/", allow_redirects=False, timeout=30)
    assert page.status_code == 302


def test_an_upgrade_keeps_sessions_and_starts_under_way(installed: Installed) -> None:
    """H3: no session is lost or started twice, and a start in hand ends as a session or as a sentence."""
    started = [f"running{number}" for number in range(EACH)]
    _start_all(installed, started)
    wanted = {"first", *started}
    within(START_S, lambda: wanted <= ready(installed))
    before = pods(installed)
    under_way = [f"starting{number}" for number in range(EACH)]
    _start_all(installed, under_way)
    more = {"config": CONFIG + 'c.Facility.name = "After the upgrade"\n'}
    installed.helm("upgrade", "portal", str(CHART), *WAIT, more=more)
    within(120, lambda: wanted <= ready(installed))
    assert before.items() <= pods(installed).items()
    _settle(installed)
    # those that were interrupted before they had a pod, or while they proved themselves, are launched again
    _start_all(installed, [name for name in under_way if name not in ready(installed)])
    within(START_S, lambda: wanted | set(under_way) == ready(installed))
    assert before.items() <= pods(installed).items()
    assert len(pods(installed)) == 2 * EACH + 1


def _start_all(installed: Installed, names: list[str]) -> None:
    with ThreadPoolExecutor(max_workers=10) as several:
        list(several.map(lambda name: start(installed, name), names))


def _settle(installed: Installed) -> None:
    """Wait until nothing is pending, and every pod is that of a session that is ready."""

    def settled() -> bool:
        known = servers(installed)
        return bool(known) and all(server["pending"] is None for server in known.values())

    within(START_S, settled)
    within(60, lambda: len(pods(installed)) == len(ready(installed)))


def test_stopped_sessions_leave_nothing(installed: Installed) -> None:
    for name in list(servers(installed)):
        address = f"{installed.url}/hub/api/users/anna/servers/{name}"
        assert requests.delete(address, headers=HEADERS, json={"remove": True}, timeout=60).status_code in (202, 204)
    within(90, lambda: not pods(installed))
    within(30, lambda: not installed.cluster.get("-n", installed.sessions, "secret")["items"])


def test_a_session_that_ends_at_once_says_so(installed: Installed) -> None:
    """The end of its output is read for the hub's log."""
    start(installed, "short", application="short")
    within(120, lambda: _is_over(installed, "short"))
    within(60, lambda: not pods(installed))


def _is_over(installed: Installed, name: str) -> bool:
    server = servers(installed).get(name)
    return server is None or (not server["ready"] and server["pending"] is None)


def test_the_hubs_rights_are_what_it_used(installed: Installed) -> None:
    """The last of this file: the API server's log of all that was done above, as the chart's service account."""
    account = f"system:serviceaccount:{installed.namespace}:portal-hub"
    role = installed.cluster.get("-n", installed.sessions, "role", "portal-hub")
    assert granted(role["rules"]) == used(installed.cluster.folder / "log" / "audit.log", account, installed.sessions)
