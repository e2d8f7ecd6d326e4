"""Image names carry a registry of ours to configure, and nothing can be pulled from a public namespace by accident."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from daas_hub.version import __version__

ROOT = Path(__file__).parents[1]
LOCAL = "localhost/daas-hub"
CATALOGUE = sorted((ROOT / "images").glob("*/application*.yaml*"))
DOCKERFILES = sorted((ROOT / "images").glob("*/Dockerfile"))


def parsed(text: str) -> Any:
    """Return a YAML document."""
    return yaml.safe_load(text)


def test_there_is_something_to_look_at() -> None:
    assert len(CATALOGUE) > 10
    assert len(DOCKERFILES) > 10


@pytest.mark.parametrize("file", CATALOGUE, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_the_catalogue_names_the_registry(file: Path) -> None:
    assert parsed(file.read_text())["image"].startswith(f"{LOCAL}/")


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_an_image_is_built_on_ours_or_on_debian(file: Path) -> None:
    """Every FROM is a variable (REGISTRY, DEBIAN) or a stage of the file itself."""
    text = re.sub(r"^#.*", "", file.read_text(), flags=re.MULTILINE)
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    assert bases
    ours = re.compile(r"\$\{REGISTRY\}/[a-z]+:\$\{VERSION\}|\$\{DEBIAN\}|scratch")
    assert [base for base in bases if base not in stages and not ours.fullmatch(base)] == []
    if "${REGISTRY}" in text:
        assert f"\nARG REGISTRY={LOCAL}\n" in text.partition("FROM")[0]


def test_compose_names_the_registry_and_pulls_nothing() -> None:
    services = parsed((ROOT / "compose.yaml").read_text())["services"]
    assert len(services) > 5
    for name, service in services.items():
        assert service["image"].startswith(f"${{DAAS_REGISTRY:-{LOCAL}}}/"), name
        assert service["pull_policy"] == "never", name


def test_the_broker_of_compose_allows_that_registry_only() -> None:
    command = parsed((ROOT / "compose.yaml").read_text())["services"]["broker"]["command"]
    assert [one for one in command if one.startswith("--image")] == [f"--image-prefix=${{DAAS_REGISTRY:-{LOCAL}}}/"]
    assert "--no-pull" in command


@pytest.mark.parametrize("registry", ["", "registry.facility.org/daas"], ids=["as it is", "another"])
def test_a_build_uses_the_registry_of_make(tmp_path: Path, registry: str) -> None:
    """`make image REGISTRY=...` tags and passes on that registry, for the image and for those it is built on."""
    engine = tmp_path / "docker"
    engine.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    engine.chmod(0o755)
    variables = ["IMAGE=pymca", f"DOCKER={engine}", f"SYSTEM_PYTHON={sys.executable}"]
    variables += [f"REGISTRY={registry}"] if registry else []
    environment = {name: value for name, value in os.environ.items() if name not in ("DAAS_REGISTRY", "MAKEFLAGS")}
    subprocess.run(["make", "image", *variables], cwd=ROOT, check=True, capture_output=True, env=environment)
    calls = (tmp_path / "calls").read_text().splitlines()
    tags = [match[1] for call in calls if (match := re.search(r"--tag (\S+)", call))]
    wanted = registry or LOCAL
    assert tags == [f"{wanted}/{name}:{__version__}" for name in ("wheel", "base", "pymca")]
    assert all(f"--build-arg REGISTRY={wanted} " in call for call in calls)
