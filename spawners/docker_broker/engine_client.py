"""The broker's client of the engine: sends what was checked, and returns the answer, whole or as a stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from yarl import URL

_log = logging.getLogger("daas.broker")


class EngineClient:
    """The engine behind a socket file of this machine."""

    def __init__(self, socket: str) -> None:
        """Take the path of its socket."""
        self._socket = socket
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Open the client; the caller closes it with `close`."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self._socket, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the client."""
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Send a request to the engine; once sent it is completed, also if the hub disconnects meanwhile."""

        async def ask() -> tuple[int, bytes]:
            async with self._request(method, path, query or {}, body) as answer:
                return answer.status, await answer.read()

        return await asyncio.shield(asyncio.ensure_future(ask()))

    async def pass_on(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> web.StreamResponse:
        """Send a request to the engine; return the status and body of its answer, and no header."""
        status, said = await self.ask(method, path, query, body)
        if status == 204 or not said:
            return web.Response(status=status)
        kind = "application/json" if said[:1] in (b"{", b"[") else "text/plain"
        return web.Response(status=status, body=said, content_type=kind)

    async def stream(
        self,
        request: web.BaseRequest,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> web.StreamResponse:
        """Forward an answer as it comes, until either side ends it."""
        async with self._request(method, path, query, None, headers) as engine:
            answer = web.StreamResponse(status=engine.status)
            answer.content_type = engine.content_type
            answer.enable_chunked_encoding()
            await answer.prepare(request)
            try:
                async for piece in engine.content.iter_any():
                    await answer.write(piece)
                await answer.write_eof()
            except (aiohttp.ClientError, OSError) as problem:
                # an end in the middle must not look like the end
                _log.info("a stream ended early: %s", problem)
                if request.transport is not None:
                    request.transport.abort()
            return answer

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        assert self._session is not None
        url = URL(f"http://engine{path}" + (f"?{urlencode(query)}" if query else ""), encoded=True)
        sent = {"Content-Type": "application/json", **(headers or {})} if body is not None else dict(headers or {})
        return self._session.request(method, url, data=body, headers=sent, allow_redirects=False)
