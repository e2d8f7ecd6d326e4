"""The pod in words: the whole manifest of several plans, and that no plan and no text can add to it."""

from __future__ import annotations

import json

import pytest

from daas_hub.spawners.kubernetes.pod import pod_for
from tests.kubernetes.api_types import round_trip
from tests.kubernetes.plans import CASES, GOLDEN, IDENTITY


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    """The whole pod. A change of these files is a change of what a session may do: write them with REGENERATE=1."""
    assert pod_for(*CASES[name], IDENTITY) == json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize("name", CASES)
async def test_every_field_is_one_of_kubernetes(name: str) -> None:
    """A name that the API does not know would be dropped in silence, and with it what it was to confine."""
    pod = pod_for(*CASES[name], IDENTITY)
    assert await round_trip(pod, "V1Pod") == pod
