"""The GPUs of a session, as a setting says it: which devices, for whom, and what is refused before anybody launches."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daas_hub.catalogue import Size, read_catalogue
from daas_hub.errors import ConfigurationError, SessionFailed
from daas_hub.spawners.docker.compare import differences
from daas_hub.spawners.docker.container_spec import LocalFiles, create_body
from daas_hub.spawners.docker.gpus import (
    GPUS_LABEL,
    GPUKind,
    GPURequest,
    choose,
    devices_in_use,
    gpu_problems,
    read_kinds,
)
from daas_hub.spawners.docker.messages import refusal_of
from tests.spawners.docker.plans import PLAN, SMALL

ONE, TWO = "nvidia.com/gpu=0", "nvidia.com/gpu=1"
GPU = replace(SMALL, name="gpu", title="A GPU", gpus=1)
KINDS = {
    "": GPUKind("cdi", (ONE, TWO)),
    "a100": GPUKind("nvidia", ("GPU-0a1b",)),
    "any": GPUKind("nvidia"),
}


@pytest.mark.parametrize(
    ("size", "in_use", "request_"),
    [
        pytest.param(GPU, [], GPURequest("cdi", 1, (ONE,)), id="the first free one"),
        pytest.param(GPU, [ONE], GPURequest("cdi", 1, (TWO,)), id="not one that is in use"),
        pytest.param(GPU, ["elsewhere.org/gpu=0"], GPURequest("cdi", 1, (ONE,)), id="others do not count"),
        pytest.param(replace(GPU, gpus=2), [], GPURequest("cdi", 2, (ONE, TWO)), id="two"),
        pytest.param(replace(GPU, gpu_kind="a100"), [], GPURequest("nvidia", 1, ("GPU-0a1b",)), id="of a kind"),
        pytest.param(replace(GPU, gpus=3, gpu_kind="any"), [ONE], GPURequest("nvidia", 3), id="the driver chooses"),
    ],
)
def test_what_a_session_gets(size: Size, in_use: list[str], request_: GPURequest) -> None:
    assert choose(size, KINDS, in_use) == request_


@pytest.mark.parametrize(
    ("size", "in_use", "words"),
    [
        pytest.param(GPU, [ONE, TWO], "2 of 2 GPUs are in use, and this size needs 1.", id="all in use"),
        pytest.param(replace(GPU, gpus=2), [TWO], "1 of 2 GPUs are in use, and this size needs 2.", id="too few free"),
        pytest.param(replace(GPU, gpus=3), [], "There are no GPUs for the size 'A GPU' here.", id="too few"),
        pytest.param(replace(GPU, gpu_kind="h100"), [], "There are no GPUs for the size 'A GPU' here.", id="unknown"),
    ],
)
def test_what_a_person_is_refused(size: Size, in_use: list[str], words: str) -> None:
    with pytest.raises(SessionFailed) as refusal:
        choose(size, KINDS, in_use)
    assert refusal.value.message == words


@pytest.mark.parametrize(
    ("request_", "document"),
    [
        (
            GPURequest("cdi", 1, (ONE,)),
            {"Driver": "cdi", "Count": 0, "DeviceIDs": [ONE], "Capabilities": [], "Options": {}},
        ),
        (
            GPURequest("nvidia", 2),
            {"Driver": "nvidia", "Count": 2, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}},
        ),
    ],
)
def test_the_create_call(request_: GPURequest, document: dict[str, Any]) -> None:
    """The request is all that a size with GPUs changes in it."""
    files = LocalFiles(Path("/run/k"), Path("/run/api"))
    with_gpus = create_body(PLAN, files, program="x", labels={}, device_requests=[request_.as_document()])
    assert with_gpus["HostConfig"].pop("DeviceRequests") == [document]
    assert with_gpus == create_body(PLAN, files, program="x", labels={})


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        pytest.param({}, ["DeviceRequests"], id="none"),
        pytest.param(
            {"DeviceRequests": [GPURequest("cdi", 1, (TWO,)).as_document()]}, ["DeviceRequests"], id="another"
        ),
        pytest.param(
            {"DeviceRequests": [{"Driver": "cdi", "Count": 0, "DeviceIDs": [ONE], "Capabilities": None}]}, [], id="null"
        ),
        pytest.param(
            {"DeviceRequests": [GPURequest("cdi", 1, (ONE,)).as_document()], "Devices": [{"PathOnHost": "/dev/sda"}]},
            ["Devices"],
            id="a device more",
        ),
    ],
)
def test_what_the_engine_made(made: dict[str, Any], wrong: list[str]) -> None:
    request = GPURequest("cdi", 1, (ONE,)).as_document()
    body = create_body(PLAN, LocalFiles(Path("/r"), Path("/a")), program="x", labels={}, device_requests=[request])
    host = {name: value for name, value in body["HostConfig"].items() if name != "DeviceRequests"} | made
    mounts = [
        {"Destination": one["Target"], "Type": one["Type"], "Source": one["Source"], "RW": not one["ReadOnly"]}
        for one in body["HostConfig"]["Mounts"]
    ]
    assert differences(body, mounts, host) == wrong


def test_devices_in_use_are_those_of_containers_that_have_not_ended() -> None:
    def container(state: str, gpus: str | None) -> dict[str, Any]:
        return {"State": state, "Labels": {} if gpus is None else {GPUS_LABEL: gpus}}

    listed = [
        container("running", f"{ONE},{TWO}"), container("created", "a/b=1"), container("paused", "a/b=2"),
        container("exited", "a/b=3"), container("dead", "a/b=4"), container("running", None),
        {"State": "running", "Labels": None},
    ]  # fmt: skip
    assert devices_in_use(listed) == [ONE, TWO, "a/b=1", "a/b=2"]


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, "nvidia", {"driver": 1}, {"driver": ""}, {"driver": "cdi"}, {"devices": ONE},
        {"devices": ["all"]}, {"devices": [ONE, ONE]}, {"devices": ["nvidia.com/gpu"]},
        {"driver": "nvidia", "devices": ["a b"]}, {"driver": "nvidia", "devices": ["0,1"]},
        {"devices": [ONE], "count": 1},
        {"driver": "a/b", "devices": []},
    ],
)  # fmt: skip
def test_a_setting_that_is_wrong(value: Any) -> None:
    with pytest.raises(ConfigurationError) as problem:
        read_kinds({"a100": value})
    assert problem.value.setting == "ProposalDockerSpawner.gpus['a100']"
    assert [one.setting for one in gpu_problems({"a100": value}, {})] == ["ProposalDockerSpawner.gpus['a100']"]


def test_what_belongs_together() -> None:
    """Each size with GPUs finds its kind with enough devices, and no device is in two kinds."""
    setting = {"": {"devices": [ONE]}, "a100": {"driver": "nvidia", "devices": ["0"]}, "free": {"driver": "nvidia"}}
    good = {
        "small": SMALL,
        "gpu": GPU,
        "a100": replace(GPU, gpu_kind="a100"),
        "free": replace(GPU, gpus=9, gpu_kind="free"),
    }
    assert list(gpu_problems(setting, good)) == []
    bad = {
        "h100": replace(GPU, name="h100", gpu_kind="h100"),
        "two": replace(GPU, name="two", gpus=2),
    }
    twice = setting | {"again": {"devices": [ONE]}}
    assert [one.message for one in gpu_problems(twice, bad)] == [
        f"ProposalDockerSpawner.gpus['again'] = {ONE!r}: is a device of '', too",
        "sizes.yaml = 'h100': has GPUs of the kind 'h100', and ProposalDockerSpawner.gpus has no such kind",
        "sizes.yaml = 'two': has 2 GPUs, and ProposalDockerSpawner.gpus[''] lists 1",
    ]


def test_sizes_yaml(tmp_path: Path) -> None:
    (tmp_path / "sizes.yaml").write_text(
        "sizes:\n  one: {title: One, memory: 1 GiB, cpus: 1, gpus: 2, gpu_kind: a100}\n"
        "  none: {title: None, memory: 1 GiB, cpus: 1}\n"
    )
    catalogue, problems = read_catalogue(tmp_path)
    assert not problems
    assert [(one.gpus, one.gpu_kind) for one in catalogue.sizes.values()] == [(2, "a100"), (0, "")]


@pytest.mark.parametrize("gpus", ["gpus: -1", "gpus: one", "gpu_kind: a100", "gpus: 1, gpu_kind: A 100", "gpus: 100"])
def test_sizes_yaml_that_is_wrong(tmp_path: Path, gpus: str) -> None:
    (tmp_path / "sizes.yaml").write_text(f"sizes:\n  one: {{title: One, memory: 1 GiB, cpus: 1, {gpus}}}\n")
    _, problems = read_catalogue(tmp_path)
    assert len(problems) == 1


@pytest.mark.parametrize(
    "message",
    [
        'could not select device driver "nvidia" with capabilities: [[gpu]]',
        "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=0",
    ],
)
def test_an_engine_that_cannot(message: str) -> None:
    assert refusal_of(PLAN, message).message == "The machine that runs the sessions could not give this one its GPUs."


def test_the_examples_of_the_page_belong_together(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "gpus.md").read_text()
    (sizes,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (setting,) = re.findall(r"```python\nc\.ProposalDockerSpawner\.gpus = (.*?)```", page, re.DOTALL)
    (tmp_path / "sizes.yaml").write_text(sizes)
    catalogue, problems = read_catalogue(tmp_path)
    assert not problems
    assert list(gpu_problems(ast.literal_eval(setting), catalogue.sizes)) == []
    assert [one.gpus for one in catalogue.sizes.values()] == [0, 1, 2]
