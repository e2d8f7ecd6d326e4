"""One portal whose sessions are containers, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.docker.engine import image, require_engine, start_docker_portal
from tests.live_portal import Portal, remove


@pytest.fixture(scope="session")
def engine() -> docker.APIClient:
    """A client of the engine; skips where there is none."""
    return require_engine(image("desktop"))


@pytest.fixture(scope="session")
def portal(engine: docker.APIClient) -> Iterator[Portal]:
    """The demo's portal with containers, the probe application, and data of hostile kinds."""
    running = start_docker_portal()
    try:
        yield running
    finally:
        running.stop()
        remove(running)
