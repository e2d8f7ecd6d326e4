"""What the images' tests share: the engine, and what stands in each image's folder."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest

from daas_hub.catalogue import Application, read_catalogue
from tests.docker.engine import image, require_engine
from tests.not_tried import missing, not_tried

IMAGES = Path(__file__).parents[2] / "images"


@dataclass(frozen=True)
class Smoke:
    """What is expected of one image: its catalogue files, and its smoke.toml."""

    name: str
    applications: dict[str, Application]
    document: dict[str, Any] = field(hash=False)

    @property
    def tag(self) -> str:
        return image(self.name)

    @property
    def desktops(self) -> list[Application]:
        return [one for one in self.applications.values() if one.command]


def read_smoke(name: str) -> Smoke:
    """Read the folder of an image."""
    catalogue, problems = read_catalogue(IMAGES, IMAGES / name)
    assert not problems, problems
    return Smoke(name, dict(catalogue.applications), tomllib.loads((IMAGES / name / "smoke.toml").read_text()))


#: What new images are copied from is none itself.
FOLDERS = [file.parent.name for file in sorted(IMAGES.glob("*/smoke.toml")) if file.parent.name != "template"]
SMOKES = [read_smoke(name) for name in FOLDERS]


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.APIClient]:
    """A client of the engine; skips where there is none."""
    client = require_engine()
    yield client
    client.close()


@pytest.fixture
def built(engine: docker.APIClient, smoke: Smoke) -> str:
    """The tag of the image; skips where it was not built.

    Where its program could not be fetched, what can be built without it has to be there, and the rest is not tried.
    """
    if _has(engine, smoke.tag):
        return smoke.tag
    stages = smoke.document.get("stages_without_source", [])
    if stages and smoke.document.get("source_may_be_missing"):
        for stage in stages:
            tag = image(f"{smoke.name}-{stage}")
            if not _has(engine, tag):
                missing("docker", f"not built here: {tag} (make image IMAGE={smoke.name})")
        not_tried(f"{smoke.name}: its program could not be fetched, so only {', '.join(stages)} could be built")
    missing("docker", f"not built here: {smoke.tag} (make image IMAGE={smoke.name})")
    return ""


def _has(engine: docker.APIClient, tag: str) -> bool:
    try:
        engine.inspect_image(tag)
    except docker.errors.ImageNotFound:
        return False
    return True
