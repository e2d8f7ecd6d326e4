"""The real types of Kubernetes' API, as its Python client has them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from kubernetes_asyncio.client import ApiClient, Configuration


async def round_trip(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a document as it is after it went through the client's type of this name: unknown fields are gone."""
    async with ApiClient(Configuration()) as client:
        answer = SimpleNamespace(data=json.dumps(document))
        return dict(client.sanitize_for_serialization(client.deserialize(answer, kind)))
