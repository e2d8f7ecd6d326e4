"""The way to an API server where the hub's environment names a web proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.client import ClusterUnreachable, PlaceClient
from daas_hub.spawners.kubernetes.direct import is_direct
from tests.kubernetes.api_server import ApiServer

NETWORKS = "localhost,.svc, 10.96.0.0/12,127.0.0.0/8,fd00::/8,192.0.2.7"


@pytest.fixture
async def behind(api: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PlaceClient]:
    """A client in whose environment a proxy is named that does not exist."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    access = APIAccess(host=api.url, ca=str(api.ca), token_file=str(api.folder / "hub.token"), timeout_s=10, retry_s=1)
    made = PlaceClient(access, namespace)
    yield made
    await made.close()


@pytest.mark.parametrize("names", ["", ".facility.org", "10.96.0.0/12"])
async def test_a_proxy_is_used_where_the_environment_says_so(
    behind: PlaceClient, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", names)
    with pytest.raises(ClusterUnreachable):
        await behind.pods("daas-hub/hub")


@pytest.mark.parametrize("names", ["127.0.0.1", "127.0.0.0/8", NETWORKS])
async def test_a_network_in_no_proxy_is_reached_without_it(
    behind: PlaceClient, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python knows no networks there, and clusters are configured with them."""
    monkeypatch.setenv("NO_PROXY", names)
    assert (await behind.pods("daas-hub/hub"))[0] == []


@pytest.mark.parametrize(
    ("url", "direct"),
    [
        ("https://10.96.0.1:443", True),
        ("https://10.112.0.1:443", False),
        ("https://[fd00::1]:6443", True),
        ("https://[2001:db8::1]:6443", False),
        ("https://192.0.2.7:6443", True),
        ("https://api.facility.org:6443", False),
        ("", False),
    ],
)
def test_networks_of_both_families(url: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", NETWORKS)
    assert is_direct(url, in_cluster=False) is direct


def test_the_hubs_own_cluster_needs_no_proxy() -> None:
    assert APIAccess().is_in_cluster
    assert not APIAccess(host="https://api.facility.org").is_in_cluster
    assert not APIAccess(kubeconfig="/etc/daas-hub/kubeconfig").is_in_cluster
    assert is_direct("https://10.96.0.1:443", in_cluster=True)
