"""One portal whose sessions are containers, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.browser.conftest import browser, guest
from tests.docker.engine import APPLICATIONS, Control, image, require_engine, start_docker_portal
from tests.docker.package_mirror import APPLICATION as PACKAGES
from tests.live_portal import Portal, remove

__all__ = ["browser", "guest"]


@pytest.fixture(scope="session")
def engine() -> docker.APIClient:
    """A client of the engine; skips where there is none."""
    return require_engine(image("desktop"))


@pytest.fixture(scope="session")
def applications(engine: docker.APIClient) -> docker.APIClient:
    """The engine with the images of PyMca and JupyterLab."""
    return require_engine(image("pymca"), image("notebook"))


@pytest.fixture(scope="session")
def hdf5_application(applications: docker.APIClient) -> str:
    """The probe where h5py is: on the image of JupyterLab."""
    return "hdf5"


@pytest.fixture(scope="session")
def notebook_application(applications: docker.APIClient) -> str:
    """JupyterLab, of which the engine must have the image."""
    return "jupyterlab"


@pytest.fixture(scope="session")
def portal(engine: docker.APIClient) -> Iterator[Portal]:
    """The demo's portal with containers, the probe application, and data of hostile kinds."""
    running = start_docker_portal(**APPLICATIONS, packages=PACKAGES)
    try:
        yield running
    finally:
        running.stop()
        remove(running)


@pytest.fixture
def control(engine: docker.APIClient) -> Iterator[Control]:
    """The engine's switch; the engine runs again afterwards."""
    switch = Control.of_tests()
    yield switch
    switch.do("start")
