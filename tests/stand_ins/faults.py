"""What services do instead of answering: a middleware that makes any stand-in misbehave, one fault at a time."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

#: Stands in addresses and pages of faults: nothing of it may reach a log or a page.
SECRET = "s3cret-of-the-service"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(text: str | bytes, *, status: int = 200, kind: str = "application/json", **headers: str) -> Fault:
    """Return a fault that answers with this."""

    async def answer(_: web.Request) -> web.StreamResponse:
        body = text.encode() if isinstance(text, str) else text
        return web.Response(body=body, status=status, content_type=kind, headers=headers)

    return answer


async def _never(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError("nobody waits so long")


async def _drop(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    raise ConnectionResetError


async def _drip(request: web.Request) -> web.StreamResponse:
    """A byte now and then: no single wait is long, the whole is."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def _flood(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(1000):
        await response.write(b'["' + b"x" * 65_000 + b'"]')
    return response


#: (what the service does, what stands in the log, the kind of the error).
FAULTS: dict[str, tuple[Fault, str, str]] = {
    "an error page": (
        says(f"<h1>{SECRET}</h1>", status=500, kind="text/html"),
        "status 500 (text/html)",
        "server_error",
    ),
    "an error in JSON": (
        says(f'{{"code": "INTERNAL", "message": "{SECRET}"}}', status=500),
        "status 500",
        "server_error",
    ),
    "too busy": (says("", status=503, kind="text/plain"), "status 503", "server_error"),
    "a page to sign in": (says(f"<!doctype html><p>{SECRET}", kind="text/html"), "HTML", "html"),
    "HTML that says it is JSON": (says(f"  <html>{SECRET}"), "HTML", "html"),
    "a redirect to sign in": (
        says("", status=302, Location=f"https://user:{SECRET}@login.example.org/{SECRET}?token={SECRET}"),
        "a redirect (302) to https://login.example.org",
        "redirect",
    ),
    "a redirect to the same": (
        says("", status=301, Location="/elsewhere/"),
        "a redirect (301) to another path",
        "redirect_same_host",
    ),
    "a page that is not there": (
        says("<h1>Not found</h1>", status=404, kind="text/html"),
        "status 404 with HTML",
        "not_found",
    ),
    "forbidden by a page": (
        says("<h1>Forbidden</h1>", status=403, kind="text/html"),
        "portal's credentials",
        "credentials_refused",
    ),
    "half a document": (says('[{"id": 1}, {"id"'), "other than JSON", "invalid_response"),
    "no UTF-8": (says(b'["\xff\xfe\xff"]'), "other than JSON", "invalid_response"),
    "nothing": (says(""), "nothing where", "invalid_response"),
    "null": (says("null"), "where", "invalid_response"),
    "a number": (says("7"), "where", "invalid_response"),
    "nested without end": (says("[" * 90_000), "other than JSON", "invalid_response"),
    "a flood": (_flood, "more than 100000 bytes", "response_too_large"),
    "a flood when unpacked": (
        says(gzip.compress(b" " * 50_000_000), **{"Content-Encoding": "gzip"}),
        "more than 100000 bytes",
        "response_too_large",
    ),
    "unpackable": (
        says(b"not gzip at all", **{"Content-Encoding": "gzip"}),
        "no answer (ClientPayloadError)",
        "invalid_response",
    ),
    "silence": (_never, "no answer within", "timeout"),
    "an endless drip": (_drip, "no answer within", "timeout"),
    "the line cut": (_drop, "no answer (ServerDisconnectedError)", "no_connection"),
}


def patience_s(words: str) -> float:
    """Return how long to wait for a fault: short where it is the waiting, ample where it ends by itself."""
    return 0.5 if words == "no answer within" else 20.0


def make_faulty(app: web.Application, fault: Fault, *, but_not: tuple[str, ...] = ()) -> web.Application:
    """Make every address of it misbehave, but those that end like one of `but_not` (a login, say)."""

    @web.middleware
    async def misbehave(request: web.Request, handler: Handler) -> Any:
        if request.path.endswith(but_not or ("\0",)):
            return await handler(request)
        return await fault(request)

    app.middlewares.append(misbehave)
    return app
