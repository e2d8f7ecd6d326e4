"""One API server for the tests of this folder, and a namespace for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.client import PlaceClient
from tests.kubernetes.api_server import ApiServer, running_api_server


@pytest.fixture(scope="session")
def api() -> Iterator[ApiServer]:
    """The API server, running."""
    with running_api_server() as server:
        yield server


@pytest.fixture
def namespace(api: ApiServer) -> str:
    """A namespace of this test's own."""
    return api.new_namespace()


@pytest.fixture
async def client(api: ApiServer, namespace: str) -> AsyncIterator[PlaceClient]:
    """The hub's client of that namespace, with the hub's rights."""
    access = APIAccess(host=api.url, ca=str(api.ca), token_file=str(api.folder / "hub.token"), timeout_s=10, retry_s=6)
    made = PlaceClient(access, namespace)
    yield made
    await made.close()
