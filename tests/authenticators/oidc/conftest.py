"""A provider that a test controls, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from daas_hub.authenticators.oidc.provider import OpenIDProvider
from tests.authenticators.oidc.http_provider import CLIENT, Clock, Provider


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.stop()
    await provider.server.close_all_connections()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(provider: Provider, clock: Clock) -> OpenIDProvider:
    return OpenIDProvider(provider.issuer, CLIENT, clock=clock)
