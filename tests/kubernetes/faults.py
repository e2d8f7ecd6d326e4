"""A proxy before the API server that is late, or answers in its place, as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from tests.kubernetes.api_server import ApiServer


@dataclass
class FaultProxy:
    """What the proxy does, and what it has seen.

    Attributes:
        delay_s: seconds by which it holds the answer of a request that `affects` chooses, after the API server has it.
        answer: its own answer instead, as status and body; None for the API server's.
        cut: whether half an answer is sent.
        seen: "METHOD path" of each request.
    """

    url: str = ""
    delay_s: float = 0.0
    answer: tuple[int, str] | None = None
    cut: bool = False
    affects: Callable[[str], bool] = lambda request: True
    seen: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def fault_proxy(api: ApiServer) -> AsyncIterator[FaultProxy]:
    """Run a proxy; it speaks plain HTTP to the hub."""
    faults = FaultProxy()
    context = ssl.create_default_context(cafile=str(api.ca))
    upstream = ClientSession(connector=TCPConnector(ssl=context), timeout=ClientTimeout(total=60))

    async def handle(request: web.Request) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        faults.seen.append(name)
        affected = faults.affects(name)
        if affected and faults.answer is not None:
            return web.Response(status=faults.answer[0], text=faults.answer[1], content_type="application/json")
        headers = {
            key: value for key, value in request.headers.items() if key.lower() not in ("host", "content-length")
        }
        async with upstream.request(
            request.method, api.url + request.path_qs, headers=headers, data=await request.read()
        ) as response:
            body = await response.read()
        if affected:
            await asyncio.sleep(faults.delay_s)
            if faults.cut:
                body = body[: len(body) // 2]
        return web.Response(status=response.status, body=body, content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    faults.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield faults
    finally:
        await runner.cleanup()
        await upstream.close()
