"""A proxy before the API server that is late, cuts, repeats, or answers in its place, as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import ClientResponse, ClientSession, ClientTimeout, TCPConnector, web

from tests.kubernetes.api_server import ApiServer


@dataclass
class FaultProxy:
    """What the proxy does, and what it has seen.

    Attributes:
        delay_s: seconds by which it holds the answer of a request that `affects` chooses, after the API server has it.
        answer: its own answer instead, as status and body; None for the API server's.
        headers: of its own answer.
        cut: whether half an answer is sent; of a watch, half a change.
        reset: whether the connection is reset in the middle of the answer.
        events: what becomes of two changes of a watch that follow each other: "" nothing, "twice", or "swapped".
        times: how many requests are affected; None for all.
        affects: chooses requests by "METHOD path"; those of a watch are "WATCH path".
        seen: "METHOD path" of each request.
    """

    url: str = ""
    delay_s: float = 0.0
    answer: tuple[int, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    reset: bool = False
    events: str = ""
    times: int | None = None
    affects: Callable[[str], bool] = lambda request: True
    seen: list[str] = field(default_factory=list)

    def is_affected(self, name: str) -> bool:
        """Return whether this request is to be disturbed, and count it."""
        if not self.affects(name) or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@contextlib.asynccontextmanager
async def fault_proxy(api: ApiServer) -> AsyncIterator[FaultProxy]:
    """Run a proxy; it speaks plain HTTP to the hub."""
    faults = FaultProxy()
    context = ssl.create_default_context(cafile=str(api.ca))
    upstream = ClientSession(connector=TCPConnector(ssl=context), timeout=ClientTimeout(total=60))

    async def handle(request: web.Request) -> web.StreamResponse:
        is_watch = request.query.get("watch") == "True"
        name = f"{'WATCH' if is_watch else request.method} {request.path}"
        faults.seen.append(name)
        affected = faults.is_affected(name)
        if affected and faults.answer is not None:
            status, text = faults.answer
            return web.Response(status=status, text=text, headers=faults.headers, content_type="application/json")
        headers = {
            key: value for key, value in request.headers.items() if key.lower() not in ("host", "content-length")
        }
        async with upstream.request(
            request.method, api.url + request.path_qs, headers=headers, data=await request.read()
        ) as response:
            if is_watch and response.status == 200:
                return await _pass_changes_on(request, response, faults if affected else FaultProxy())
            body = await response.read()
        if affected:
            await asyncio.sleep(faults.delay_s)
            if faults.reset:
                return await _half(request, body)
            if faults.cut:
                body = body[: len(body) // 2]
        return web.Response(status=response.status, body=body, content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    faults.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield faults
    finally:
        await runner.cleanup()
        await upstream.close()


async def _half(request: web.Request, body: bytes) -> web.StreamResponse:
    """Send half an answer, and reset the connection."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    _reset(request)
    return answer


def _reset(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _pass_changes_on(request: web.Request, response: ClientResponse, faults: FaultProxy) -> web.StreamResponse:
    """Send the changes of a watch as they come, or as the faults say."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    await asyncio.sleep(faults.delay_s)
    held = rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if faults.cut or faults.reset:
                await answer.write(line[: len(line) // 2])
                if faults.reset:
                    _reset(request)
                return answer
            if faults.events == "swapped" and not held:
                held = line + b"\n"
                continue
            for one in (line + b"\n") * (2 if faults.events == "twice" else 1), held:
                await answer.write(one)
            held = b""
    await answer.write(held)
    return answer
