"""GPUs of a session, as far as an engine without any shows: it keeps the request as it was, and refuses the start.

What a driver then hands out needs the hardware: it was not tried.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from daas_hub.spawners.docker.compare import differences
from daas_hub.spawners.docker.container_spec import HUB_LABEL, LocalFiles, create_body
from daas_hub.spawners.docker.gpus import GPURequest, devices_in_use
from daas_hub.spawners.docker.messages import refusal_of
from tests.docker.engine import image
from tests.spawners.docker.plans import PLAN

pytestmark = pytest.mark.docker

REQUESTS = [
    GPURequest("cdi", 1, ("example.org/gpu=0",)),
    GPURequest("nvidia", 2, ("GPU-0a1b", "1")),
    GPURequest("nvidia", 2),
]


@pytest.fixture
def labels(engine: docker.APIClient) -> Iterator[dict[str, str]]:
    """The label of a hub of its own, whose containers are removed."""
    label = f"gpus-{secrets.token_hex(4)}"
    yield {HUB_LABEL: label}
    for one in engine.containers(all=True, filters={"label": f"{HUB_LABEL}={label}"}):
        engine.remove_container(one["Id"], force=True)


@pytest.mark.parametrize("gpus", REQUESTS, ids=["CDI", "device request by name", "device request by number"])
def test_the_engine_keeps_the_request(
    engine: docker.APIClient, labels: dict[str, str], gpus: GPURequest, tmp_path: Path
) -> None:
    plan = replace(PLAN, mounts=(), application=replace(PLAN.application, image=image("desktop")))
    body = create_body(
        plan,
        LocalFiles(tmp_path, tmp_path),
        program="daas-session",
        labels=labels | gpus.labels,
        device_requests=[gpus.as_document()],
    )
    body["HostConfig"]["Mounts"] = []
    made = engine.create_container_from_config(body)["Id"]
    found: dict[str, Any] = engine.inspect_container(made)
    assert differences(body, found["Mounts"], found["HostConfig"]) == []
    other = body | {"HostConfig": body["HostConfig"] | {"DeviceRequests": [GPURequest("other", 1).as_document()]}}
    assert differences(other, found["Mounts"], found["HostConfig"]) == ["DeviceRequests"]

    # counted from its creation, before it runs
    listed = engine.containers(all=True, filters={"label": f"{HUB_LABEL}={labels[HUB_LABEL]}"})
    assert devices_in_use(listed) == list(gpus.devices)

    with pytest.raises(docker.errors.APIError) as refusal:
        engine.start(made)
    refused = refusal_of(plan, str(refusal.value.explanation))
    assert refused.message == "The machine that runs the sessions could not give this one its GPUs."
