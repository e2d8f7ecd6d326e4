"""What an engine has of the catalogue's images, and what the portal in containers therefore offers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daas_hub.catalogue import read_catalogue
from daas_hub.demo.image_catalogue import gather
from daas_hub.spawners.docker.built_images import has_image
from tests.spawners.docker.fake_engine import FakeEngine, fake_engine

IMAGES = Path(__file__).parents[3] / "images"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    """It has one image; the broker answers 403 for what is not the hub's."""
    async with fake_engine(tmp_path / "engine.sock") as serving:
        serving.answers |= {
            "/images/r.org/daas/desktop:0.1.0/json": {"Id": "sha256:1"},
            "/images/other:1/json": (403, "The broker refuses this call"),
            "/images/broken:1/json": (500, "something else"),
        }
        yield serving


@pytest.mark.parametrize(
    ("reference", "has"),
    [("r.org/daas/desktop:0.1.0", True), ("r.org/daas/crystfel:0.1.0", False), ("other:1", True), ("broken:1", True)],
)
async def test_an_image_that_is_not_there(engine: FakeEngine, reference: str, has: bool) -> None:
    assert await asyncio.to_thread(has_image, engine.socket, reference) is has


def test_an_engine_that_does_not_answer(tmp_path: Path) -> None:
    assert has_image(tmp_path / "none.sock", "r.org/daas/desktop:0.1.0")


def test_what_was_not_built_is_not_offered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The project's own applications, where one image was not built: its four are left out, all others are there."""
    every, _ = read_catalogue(Path(gather(IMAGES, tmp_path / "every", "r.org/daas", lambda _: True)))
    asked: list[str] = []

    def is_built(reference: str) -> bool:
        asked.append(reference)
        return "crystfel" not in reference

    found, problems = read_catalogue(Path(gather(IMAGES, tmp_path / "found", "r.org/daas", is_built)))
    assert problems == []
    left_out = set(every.applications) - set(found.applications)
    assert left_out == {"crystfel", "crystfel-cells", "crystfel-files", "crystfel-shell"}
    assert {one.image.rpartition("/")[0] for one in found.applications.values() if one.image} == {"r.org/daas"}
    assert len(asked) == len(set(asked))
    words = "application not offered: crystfel: the engine has no image r.org/daas/crystfel:0.1.0"
    assert caplog.messages.count(words) == 4
