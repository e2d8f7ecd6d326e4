"""GPUs of a node that are all in use, with the real scheduler: said in words; who cancels gives its place back (D5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import PLACE_SIZES, TERMINAL, Place, running_place
from tests.live_portal import Person, plain_text
from tests.waiting import within

GPU = "nvidia.com/gpu"
DOCUMENTS = {
    "sizes": PLACE_SIZES + "  gpu: {title: GPU, memory: 1 GiB, cpus: 1, processes: 500, hours: 12, gpus: 1}\n",
    "imaging": TERMINAL.replace("terminal\ntitle: Terminal", "imaging\ntitle: Imaging").replace(
        "[ample]", "[gpu, ample]"
    ),
}
CONFIG = f"""
from daas_hub.spawners.kubernetes.pod_settings import SizeInPlace
c.Facility.sessions_per_person = 10
# no pod of these tests runs: a start is answered as pending
c.JupyterHub.tornado_settings["slow_spawn_timeout"] = 1
c.ProposalKubeSpawner.pods["by_size"] = {{"gpu": SizeInPlace(resources={{{GPU!r}: 1}})}}
"""


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    """A portal, the scheduler, and a node with two GPUs and the facility's directories."""
    namespace = api.new_namespace()
    spec = {"accessModes": ["ReadWriteMany"], "storageClassName": "none", "volumeName": namespace}
    volume = {
        "accessModes": ["ReadWriteMany"], "storageClassName": "none", "capacity": {"storage": "1Gi"},
        "hostPath": {"path": "/var/empty"},
    }  # fmt: skip
    api.call("POST", "/api/v1/persistentvolumes", {"metadata": {"name": namespace}, "spec": volume})
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    wanted = spec | {"resources": {"requests": {"storage": "1Gi"}}}
    api.call("POST", claims, {"metadata": {"name": "facility"}, "spec": wanted})
    within(30, lambda: api.call("GET", f"{claims}/facility")["status"].get("phase") == "Bound")
    try:
        with api.node("two-gpus", **{GPU: "2"}) as set_memory, api.scheduling():
            set_memory("64Gi")
            with running_place(api, namespace, more_config=CONFIG, documents=DOCUMENTS) as running:
                # pods are the scheduler's; no kubelet runs them
                running.kubelet.outcome = "wait"
                yield running
    finally:
        api.call("DELETE", f"/api/v1/persistentvolumes/{namespace}")


def launch(anna: Person, size: str, name: str) -> str:
    answer = anna.api("POST", f"users/{anna.name}/servers/{name}", {"application": "imaging", "size": size})
    assert answer.status_code in (201, 202), answer.text
    return name


def scheduled(place: Place) -> list[dict[str, Any]]:
    return [one for one in place.pods() if one["spec"].get("nodeName")]


def page(anna: Person, name: str) -> str:
    return plain_text(anna.get(f"/hub/sessions/{name}"))


def test_gpus_that_are_all_in_use(place: Place) -> None:
    anna = place.portal.login("anna")
    for name in ("first", "second"):
        launch(anna, "gpu", name)
    within(30, lambda: len(scheduled(place)) == 2)
    third = launch(anna, "gpu", "third")
    said = within(30, lambda: found if "GPU" in (found := page(anna, third)) else "")
    assert "All GPUs are in use; it starts as soon as one is free." in said
    assert GPU not in said
    assert "Insufficient nvidia.com/gpu" in place.portal.log.read_text()
    # without one it starts meanwhile, and has nothing of the GPU's
    launch(anna, "ample", "small")
    small = within(30, lambda: next((one for one in scheduled(place) if not has_gpu(one)), None))
    assert GPU not in str(small["spec"]["containers"])
    # who waits gives up
    anna.stop(third)
    within(30, lambda: len(place.pods()) == 3)
    # who comes next gets the GPU that is free then
    fourth = launch(anna, "gpu", "fourth")
    within(30, lambda: "All GPUs are in use" in page(anna, fourth))
    place.api.delete_pod(place.namespace, next(one for one in scheduled(place) if has_gpu(one))["metadata"]["name"])
    within(30, lambda: sum(map(has_gpu, scheduled(place))) == 2)
    for one in place.pods():
        place.api.delete_pod(place.namespace, one["metadata"]["name"])
    within(30, lambda: not place.pods())


def has_gpu(pod: dict[str, Any]) -> bool:
    return any(GPU in one["resources"]["limits"] for one in pod["spec"]["containers"])
