"""What the quotas of a namespace leave for sessions, as an API server answers them."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.admission.limits import Limits
from daas_hub.spawners.kubernetes.quota import limits_of_quotas

GIB = 2**30


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used or {}}}


def pod(cpu: str, memory: str, phase: str = "Running", **more: str) -> dict[str, Any]:
    requests = {"cpu": cpu, "memory": memory, **more}
    return {"spec": {"containers": [{"resources": {"requests": requests}}]}, "status": {"phase": phase}}


def selected(operator: str, *values: str) -> dict[str, Any]:
    expression: dict[str, Any] = {"scopeName": "PriorityClass", "operator": operator}
    return {"scopeSelector": {"matchExpressions": [expression | ({"values": list(values)} if values else {})]}}


@pytest.mark.parametrize(
    ("quotas", "limits"),
    [
        pytest.param([], Limits(), id="no quota"),
        pytest.param([quota({"requests.cpu": "20", "pods": "50"})], Limits(sessions=50, cpus=20), id="hard"),
        pytest.param([quota({"cpu": "1500m", "memory": "3Gi"})], Limits(cpus=1.5, memory_bytes=3 * GIB), id="short"),
        pytest.param(
            [quota({"limits.memory": "10Gi", "requests.memory": "4Gi"})], Limits(memory_bytes=4 * GIB), id="smaller"
        ),
        pytest.param([quota({"count/pods": "7"}), quota({"pods": "3"})], Limits(sessions=3), id="several"),
        pytest.param([quota({"requests.nvidia.com/gpu": "4"})], Limits(gpus=4), id="gpus"),
        pytest.param([quota({"services": "1", "requests.storage": "1Ti"})], Limits(), id="others"),
        pytest.param([quota({"pods": "3"}, scopes=["BestEffort"])], Limits(), id="pods without limits"),
        pytest.param([quota({"pods": "3"}, scopes=["Terminating"])], Limits(), id="pods with a deadline"),
        pytest.param([quota({"pods": "3"}, scopes=["NotTerminating", "NotBestEffort"])], Limits(sessions=3), id="in"),
        pytest.param([quota({"pods": "3"}, **selected("In", "sessions"))], Limits(sessions=3), id="class"),
        pytest.param([quota({"pods": "3"}, **selected("In", "batch"))], Limits(), id="another class"),
        pytest.param([quota({"pods": "3"}, **selected("NotIn", "batch"))], Limits(sessions=3), id="not a class"),
        pytest.param([quota({"pods": "3"}, **selected("Exists"))], Limits(sessions=3), id="any class"),
        pytest.param([quota({"pods": "3"}, **selected("DoesNotExist"))], Limits(), id="no class"),
        pytest.param([{"spec": {"hard": {"pods": "3"}}}], Limits(), id="not counted yet"),
    ],
)
def test_hard(quotas: list[dict[str, Any]], limits: Limits) -> None:
    assert limits_of_quotas(quotas, [], "sessions") == limits


def test_what_others_use_is_not_for_sessions_and_what_sessions_use_is() -> None:
    found = quota({"cpu": "10", "memory": "10Gi", "pods": "9"}, {"cpu": "7", "memory": "6Gi", "pods": "4"})
    own = [pod("2", str(GIB)), pod("1", "1Gi"), pod("8", "8Gi", "Succeeded")]
    # four processors, 4 GiB and two pods are somebody else's
    assert limits_of_quotas([found], own) == Limits(sessions=7, cpus=6, memory_bytes=6 * GIB)


def test_a_pod_that_is_not_counted_yet_adds_nothing() -> None:
    found = quota({"pods": "3"}, {"pods": "0"})
    assert limits_of_quotas([found], [pod("1", "1Gi"), pod("1", "1Gi")]).sessions == 3


def test_more_in_use_than_there_is_leaves_nothing() -> None:
    """A quota was made smaller."""
    assert limits_of_quotas([quota({"cpu": "2"}, {"cpu": "6"})], []).cpus == 0


def test_gpus_of_sessions_are_theirs() -> None:
    found = quota({"requests.nvidia.com/gpu": "4"}, {"requests.nvidia.com/gpu": "3"})
    assert limits_of_quotas([found], [pod("1", "1Gi", **{"nvidia.com/gpu": "1"})]).gpus == 2
