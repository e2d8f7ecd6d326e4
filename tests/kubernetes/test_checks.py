"""What check-config and the doctor say of a place, with a real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.catalogue import Catalogue, Size
from daas_hub.findings import Finding, Verdict
from daas_hub.spawners.kubernetes.checks import examine, gpu_problems, place_problems
from daas_hub.spawners.kubernetes.pod_settings import SizeInPlace
from daas_hub.spawners.kubernetes.spawner import ProposalKubeSpawner
from tests.kubernetes.api_server import ApiServer

WITH_GPU = SizeInPlace(resources={"nvidia.com/gpu": 1})


def spawner(**settings: Any) -> ProposalKubeSpawner:
    given = {"hub_id": "portal", "gateway_address": "10.96.40.12:8012", **settings}
    return ProposalKubeSpawner(config=Config({"ProposalKubeSpawner": given}))


def test_a_place_that_is_complete_has_no_problems() -> None:
    assert place_problems(spawner()) == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("hub_id", ""),
        ("hub_id", "Portal"),
        ("hub_id", "x" * 41),
        ("place_label", "large nodes"),
        ("gateway_address", ""),
        ("gateway_address", "hub.daas.svc:8012"),
        ("gateway_address", "10.96.40.12"),
        ("gateway_bind", "0.0.0.0:0"),
        ("gateway_bind", "[::1"),
    ],
)
def test_a_wrong_value_is_named(setting: str, value: str) -> None:
    assert [f"ProposalKubeSpawner.{setting}" in str(one) for one in place_problems(spawner(**{setting: value}))] == [
        True
    ]


@pytest.mark.parametrize(
    ("pods", "refused"),
    [({}, ["gpu"]), ({"by_size": {"gpu": SizeInPlace()}}, ["gpu"]), ({"by_size": {"gpu": WITH_GPU}}, [])],
    ids=["no by_size", "no resources", "a resource"],
)
def test_a_size_with_gpus_has_a_resource(pods: dict[str, Any], refused: list[str]) -> None:
    """A pod without one would run without the GPU that its size promises."""
    sizes = {
        one.name: one for one in (Size("small", "S", 2**30, 1, 100, 1), Size("gpu", "G", 2**30, 1, 100, 1, gpus=1))
    }
    facility: Any = SimpleNamespace(applications=Catalogue({}, sizes))
    assert [one.value for one in gpu_problems(spawner(pods=pods), facility)] == refused


@pytest.fixture
async def examined(api: ApiServer, namespace: str) -> AsyncIterator[Any]:
    made: list[ProposalKubeSpawner] = []

    async def look(**settings: Any) -> dict[str, Finding]:
        given = {
            "k8s_api_host": api.url,
            "k8s_api_ssl_ca_cert": str(api.ca),
            "token_file": str(api.folder / "hub.token"),
            "namespace": namespace,
            **settings,
        }
        made.append(spawner(**given))
        return {one.key: one for one in await examine(made[-1])}

    yield look
    for one in made:
        await one.client.close()


async def test_the_doctor_finds_a_place_in_order(examined: Any) -> None:
    found = await examined()
    assert {key: one.verdict for key, one in found.items()} == {
        "sessions.cluster": Verdict.OK,
        "sessions.rights": Verdict.OK,
    }


async def test_the_doctor_says_that_the_cluster_is_away(examined: Any) -> None:
    """A4: with its cause."""
    found = await examined(k8s_api_host="https://127.0.0.1:1", k8s_api_request_timeout=1)
    assert found["sessions.cluster"].verdict is Verdict.PROBLEM
    assert "does not answer" in found["sessions.cluster"].result
    assert "network policies" in found["sessions.cluster"].fix


async def test_the_doctor_says_what_the_hub_may_not_do(api: ApiServer, namespace: str, examined: Any) -> None:
    """A4: the RoleBinding was taken away."""
    api.call("DELETE", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/hub")
    found = await examined()
    assert "403" in found["sessions.cluster"].result
    assert "Role" in found["sessions.cluster"].fix


async def test_the_doctor_says_what_the_hub_may_and_should_not(api: ApiServer, namespace: str, examined: Any) -> None:
    """The right to `exec` is anything in every session."""
    (api.folder / "admin.token").write_text(api.token)
    found = await examined(token_file=str(api.folder / "admin.token"))
    assert found["sessions.rights"].verdict is Verdict.PROBLEM
    assert "create pods/exec" in found["sessions.rights"].result
