"""What a hub reaches its API server with is renewed while it runs: tokens, kubeconfigs, the authority's certificate."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.answers import APIRefusal, ClusterUnreachable
from daas_hub.spawners.kubernetes.client import PlaceClient
from tests.kubernetes.api_server import ApiServer
from tests.stand_ins.directory import make_certificates

Make = Callable[..., PlaceClient]


@pytest.fixture
async def make(namespace: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Make clients that read their files again as soon as these may help."""
    monkeypatch.setattr("daas_hub.spawners.kubernetes.connection.RENEW_S", 0.0)
    made: list[PlaceClient] = []

    def make(**access: str) -> PlaceClient:
        made.append(PlaceClient(APIAccess(**access, timeout_s=5, retry_s=1), namespace))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_a_token_that_was_renewed_is_used_at_once(api: ApiServer, make: Make, tmp_path: Path) -> None:
    """Not a minute later: until then each start would be refused."""
    token = tmp_path / "token"
    token.write_text(api.hub_token)
    client = make(host=api.url, ca=str(api.ca), token_file=str(token))
    await client.pods("")
    token.write_text("expired")
    client._connection._made_at = -100.0
    await client.close()
    with pytest.raises(APIRefusal, match="401"):
        await client.pods("")
    token.write_text(api.hub_token)
    await client.pods("")


async def test_a_kubeconfig_that_was_renewed_is_read_again(api: ApiServer, make: Make) -> None:
    path = api.write_kubeconfig("renewed.conf", "expired")
    client = make(kubeconfig=str(path))
    with pytest.raises(APIRefusal, match="401"):
        await client.pods("")
    api.write_kubeconfig("renewed.conf", api.hub_token)
    await client.pods("")


async def test_another_authority_of_the_api_server_is_trusted_once_its_certificate_is_there(
    api: ApiServer, make: Make, tmp_path: Path
) -> None:
    make_certificates(tmp_path, "127.0.0.1")
    client = make(host=api.url, ca=str(tmp_path / "ca.pem"), token_file=str(api.folder / "hub.token"))
    with pytest.raises(ClusterUnreachable) as unreached:
        await client.pods("")
    assert unreached.value.is_about_trust
    shutil.copy(api.ca, tmp_path / "ca.pem")
    await client.pods("")


async def test_what_is_not_about_them_reads_no_file_again(make: Make) -> None:
    client = make(host="https://127.0.0.1:1")
    with pytest.raises(ClusterUnreachable) as unreached:
        await client.pods("")
    assert not unreached.value.is_about_trust
    assert not await client._connection.renew(unreached.value)
