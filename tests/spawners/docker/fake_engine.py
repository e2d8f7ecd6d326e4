"""An engine's HTTP API on a socket file: answers by path, and what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web
from certipy import Certipy

from daas_hub.spawners.docker.address import Address
from daas_hub.spawners.docker.engine import Engine

#: What an engine answers that can do all that is asked of it.
ABLE: dict[str, Any] = {
    "/version": {"ApiVersion": "1.45", "Version": "26.1"},
    "/info": {"SecurityOptions": ["name=seccomp,profile=builtin"]},
}


class FakeEngine:
    """Answers by path (without the version of the API): a document, a status with its message, or lines of a stream.

    Attributes:
        asked: the paths, in the order they were asked for.
        go: the answer to a pull ends when it is set.
    """

    def __init__(self, socket: Path, answers: dict[str, Any]) -> None:
        self.socket = socket
        self.answers = answers
        self.asked: list[str] = []
        self.pulled: list[dict[str, str]] = []
        self.credentials: list[str] = []
        self.streaming = asyncio.Event()
        self.go = asyncio.Event()
        self.events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    @property
    def address(self) -> Address:
        return Address(f"unix://{self.socket}")

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = (
            "/" + request.path.removeprefix("/").partition("/")[2] if request.path.startswith("/v1.") else request.path
        )
        self.asked.append(path)
        if path == "/images/create":
            return await self._pull(request)
        if path == "/events":
            return await self._stream_events(request)
        answer = self.answers.get(path, (404, f"no such thing: {path}"))
        if isinstance(answer, tuple):
            status, message = answer
            return refusal(status, message)
        if isinstance(answer, bytes):
            return web.Response(body=answer, content_type="text/html")
        return web.json_response(answer)

    async def _pull(self, request: web.BaseRequest) -> web.StreamResponse:
        self.pulled.append(dict(request.query))
        self.credentials.append(request.headers.get("X-Registry-Auth", ""))
        lines = self.answers.get("/images/create", [])
        if isinstance(lines, tuple):
            return refusal(*lines)
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        for line in lines:
            await stream.write(f"{json.dumps(line)}\r\n".encode())
        self.streaming.set()
        await self.go.wait()
        return stream

    async def _stream_events(self, request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        while (event := await self.events.get()) is not None:
            await stream.write(f"{json.dumps(event)}\n".encode())
        return stream


def refusal(status: int, message: str) -> web.Response:
    return web.Response(body=json.dumps({"message": message}).encode(), status=status, content_type="application/json")


@contextlib.asynccontextmanager
async def fake_engine(
    socket: Path, *, tls: tuple[int, ssl.SSLContext] | None = None, **answers: Any
) -> AsyncIterator[FakeEngine]:
    """Serve one, also over TLS at a port; `answers` are by path, "_" for "/"."""
    engine = FakeEngine(socket, ABLE | {f"/{name.replace('_', '/')}": answer for name, answer in answers.items()})
    runner = web.ServerRunner(web.Server(engine.answer, access_log=None))
    await runner.setup()
    await web.UnixSite(runner, engine.socket).start()
    if tls is not None:
        await web.TCPSite(runner, "127.0.0.1", tls[0], ssl_context=tls[1]).start()
    try:
        yield engine
    finally:
        engine.go.set()
        engine.events.put_nowait(None)
        await runner.cleanup()


def client_of(engine: FakeEngine) -> Engine:
    return Engine(engine.address, "hub")


def certificates(directory: Path) -> ssl.SSLContext:
    """Make a CA with certificates of an engine and its hub: the hub's into `directory`, the engine's are returned."""
    made = Certipy(store_dir=str(directory / "made"))
    made.create_ca("ca")
    for name in ("engine", "hub"):
        made.create_signed_pair(name, "ca", alt_names=["IP:127.0.0.1"])
    for source, target in (("ca/ca.crt", "ca.pem"), ("hub/hub.crt", "cert.pem"), ("hub/hub.key", "key.pem")):
        shutil.copyfile(directory / "made" / source, directory / target)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(directory / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(directory / "made" / "engine" / "engine.crt", directory / "made" / "engine" / "engine.key")
    return context
