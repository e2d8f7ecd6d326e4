"""A hub in the cluster, as the chart installs it: sessions with claims in *restricted* namespaces, and upgrades.

What it asked of the API server is compared with its Role: the rights are the least.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from daas_hub.spawners.kubernetes.labels import INSTANCE_LABEL
from tests.cluster.chart import CHART, Json
from tests.cluster.cluster import Cluster
from tests.cluster.facility import (
    CONFIG,
    EACH,
    GROUP,
    START_S,
    UID,
    claims,
    make_data,
    pods,
    ready,
    servers,
    start,
    stop,
    values,
)
from tests.cluster.installed import WAIT, Installed, installed_chart
from tests.cluster.second_cluster import POD_NETWORK, second_cluster
from tests.kubernetes.rights import granted, used
from tests.waiting import within


@pytest.fixture(scope="module")
def folders() -> Iterator[dict[str, Path]]:
    """The facility's directories."""
    state = Path(tempfile.mkdtemp(prefix="daas-facility-"))
    state.chmod(0o755)
    try:
        yield make_data(state)
    finally:
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="module")
def installed(cluster: Cluster, folders: dict[str, Path]) -> Iterator[Installed]:
    """A portal in the cluster, with the claims of a facility in the namespace of its sessions."""
    with installed_chart(cluster, values()) as release, claims(cluster, release.sessions, folders):
        within(60, release.answers)
        yield release


def test_a_session_is_a_restricted_pod_with_the_accounts_claims(installed: Installed) -> None:
    start(installed, "first")
    within(120, lambda: "first" in ready(installed))
    (name,) = pods(installed)
    found = installed.cluster.get("-n", installed.sessions, "pod", name)
    security = found["spec"]["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (UID, UID)
    assert GROUP in security["supplementalGroups"]
    names = [each.get("persistentVolumeClaim", {}).get("claimName") for each in found["spec"]["volumes"]]
    assert {one for one in names if one} == {"visitor", "processed", "homes"}
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
    # the new hub has the records of the one before: their sessions have one hub
    found = installed.cluster.get("-n", installed.sessions, "pod", *pods(installed))["items"]
    assert len({one["metadata"]["labels"][INSTANCE_LABEL] for one in found}) == 1


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


def test_a_missing_directory_ends_the_start(installed: Installed) -> None:
    """E2: it is looked for as the account, and the kubelet creates nothing."""
    start(installed, "nowhere", proposal="MA-4243")
    within(120, lambda: "nowhere" not in servers(installed))
    log = installed.cluster.kubectl("-n", installed.namespace, "logs", "deployment/portal-hub")
    assert "A directory of your session is missing, or your account may not see it." in log


def test_the_hubs_rights_are_what_it_used(installed: Installed) -> None:
    """The API server's log of all that was done above, as the chart's service account."""
    account = f"system:serviceaccount:{installed.namespace}:portal-hub"
    role = installed.cluster.get("-n", installed.sessions, "role", "portal-hub")
    found = used(installed.cluster.folder / "log" / "audit.log", account)
    assert found == {installed.sessions: granted(role["rules"])}


def test_further_places_keep_the_sessions_of_the_first(installed: Installed, folders: dict[str, Path]) -> None:
    """Another namespace of this cluster, and one of a cluster that the hub reaches by a kubeconfig."""
    cluster, second = installed.cluster, f"{installed.namespace}-second"
    stop(installed, *(servers(installed).keys() - {"first"}))
    within(90, lambda: len(pods(installed)) == 1)
    before = pods(installed)
    with second_cluster(cluster, f"{installed.namespace}-south", installed.values["sessions"]) as south:
        secret = ["create", "secret", "generic", "south", f"--from-literal=config={south.kubeconfig()}"]
        cluster.kubectl("-n", installed.namespace, *secret)
        try:
            installed.helm("upgrade", "portal", str(CHART), *WAIT, more=_places(installed, second))
            within(120, lambda: "first" in ready(installed))
            assert pods(installed) == before
            with claims(cluster, second, folders), claims(cluster, south.sessions, folders):
                for place in ("second", "south"):
                    start(installed, place, place=place)
                within(START_S, lambda: {"first", "second", "south"} == ready(installed))
                assert [len(pods(installed, one)) for one in (installed.sessions, second, south.sessions)] == [1, 1, 1]
                assert pods(installed) == before
                stop(installed, "second", "south")
                within(90, lambda: not pods(installed, second) and not pods(installed, south.sessions))
        finally:
            cluster.kubectl("delete", "namespace", second, "--ignore-not-found", "--wait=false")


def _places(installed: Installed, second: str) -> Json:
    gateway = installed.cluster.get("-n", installed.namespace, "service", "portal-gateway")["spec"]["clusterIP"]
    elsewhere = {
        "kubeconfigSecret": "south", "gatewayAddress": f"{gateway}:8012", "podNetworks": [POD_NETWORK]
    }  # fmt: skip
    return {
        "places": [
            {"name": "first", "title": "Cluster", "earlier_sessions": True},
            {"name": "second", "title": "Second", "sessions": {"namespace": {"name": second}}},
            {"name": "south", "title": "South", "cluster": elsewhere,
             "sessions": {"namespace": {"name": f"{installed.namespace}-south-sessions"}}},
        ],
    }  # fmt: skip


def test_stopped_sessions_leave_nothing(installed: Installed) -> None:
    stop(installed, *servers(installed))
    within(90, lambda: not pods(installed))
    within(60, lambda: not installed.cluster.get("-n", installed.sessions, "secret")["items"])
