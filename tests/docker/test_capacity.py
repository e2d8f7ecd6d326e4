"""What an engine has for sessions, as it says itself."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from daas_hub.admission.limits import Limits
from daas_hub.spawners.docker.address import Address
from daas_hub.spawners.docker.capacity import capacity_of_engine
from daas_hub.spawners.docker.engine import Engine, EngineUnreachable
from tests.docker.engine import address

pytestmark = pytest.mark.docker


@pytest.mark.parametrize(
    ("gpus", "count"),
    [
        ({}, 0),
        ({"": {"devices": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]}, "large": {"devices": ["nvidia.com/gpu=2"]}}, 3),
        # the driver shares what it has
        ({"": {"driver": "nvidia"}}, None),
    ],
)
async def test_its_machine_and_the_gpus_of_the_configuration(
    engine: docker.APIClient, gpus: dict[str, dict[str, object]], count: int | None
) -> None:
    found = await capacity_of_engine(Engine(Address(address()), "capacity"), gpus)
    info = engine.info()
    assert found.limits == Limits(cpus=info["NCPU"], memory_bytes=info["MemTotal"], gpus=count)
    assert found.is_machine
    assert info["Name"] in found.source


async def test_no_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable):
        await capacity_of_engine(Engine(Address(f"unix://{tmp_path}/none.sock"), "capacity"), {})
