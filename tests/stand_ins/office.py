"""A user office for tests: a real web server on this machine; each test says what it answers."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Asked:
    """One question as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Office:
    """The web server. `answers` gives a path's answer; what is not in it is 404."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note the question, and answer it."""
        body = await request.json() if request.can_read_body else None
        path = request.raw_path
        self.asked.append(Asked(request.method, path, dict(request.headers), body))
        if path not in self.answers:
            return web.json_response("no such account", status=404)
        answer = self.answers[path]
        if callable(answer):
            made: Callable[[web.Request], Awaitable[web.StreamResponse]] = answer
            return await made(request)
        return web.json_response(answer)


@asynccontextmanager
async def open_office(tls: ssl.SSLContext | None = None) -> AsyncIterator[Office]:
    """Run one for the time of a test."""
    office = Office()
    application = web.Application()
    application.router.add_route("*", "/{any:.*}", office.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        office.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield office
    finally:
        await runner.cleanup()
