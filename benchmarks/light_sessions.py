"""Sessions that cost nearly nothing: one program is their backend, and answers at the addresses of all of them.

    python -m benchmarks.light_sessions BACKEND_PORT SESSIONS_PORT

What a backend is asked for (start, stop, list) and the sessions have ports of their own, so that either can be away. A
session echoes what comes over its web sockets, and reports its activity to the hub every minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sys
import zlib
from typing import Any

import aiohttp
from aiohttp import web

ACTIVITY_S = 60.0
#: One in this number of sessions does not answer, in the scene with silent sessions.
SILENT_ONE_IN = 5


def is_silent(session: str) -> bool:
    """Return whether a session, by its path, is among those that can be silent."""
    return zlib.crc32(session.encode()) % SILENT_ONE_IN == 0


class LightSessions:
    """The sessions, by their path "user/server"."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        self._silent = False

    async def start(self, request: web.Request) -> web.Response:
        """Start a session; its activity is reported as it asks."""
        name, given = request.match_info["name"], await request.json()
        self._running[name] = asyncio.create_task(_report_activity(**given))
        return web.json_response({})

    async def stop(self, request: web.Request) -> web.Response:
        """Stop a session."""
        if (task := self._running.pop(request.match_info["name"], None)) is not None:
            task.cancel()
        return web.json_response({})

    async def list(self, _: web.Request) -> web.Response:
        """Return the names of those that run."""
        return web.json_response(sorted(self._running))

    async def silence(self, request: web.Request) -> web.Response:
        """Let one in five be silent, or not any more."""
        self._silent = bool(await request.json())
        return web.json_response({})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as a session that is ready, or echo what comes over a web socket."""
        name = "/".join(request.path.split("/")[2:4])
        if self._silent and is_silent(name):
            await asyncio.sleep(3600)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.json_response({"version": "6"}, headers={"X-JupyterHub-Version": "6.1.1"})
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket


async def _report_activity(url: str, token: str, server: str) -> None:
    headers = {"Authorization": f"token {token}"}
    # as a real session, which keeps no connection for the next minute
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        while True:
            await asyncio.sleep(ACTIVITY_S)
            now = datetime.datetime.now(datetime.UTC).isoformat()
            report: dict[str, Any] = {"servers": {server: {"last_activity": now}}, "last_activity": now}
            # the hub may be away
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.post(url, json=report) as response:
                    await response.read()


async def main() -> None:
    """Read the command line; serve until the end."""
    backend_port, sessions_port = (int(one) for one in sys.argv[1:])
    sessions = LightSessions()
    backend, pages = web.Application(), web.Application()
    backend.router.add_put("/sessions/{name:.+}", sessions.start)
    backend.router.add_delete("/sessions/{name:.+}", sessions.stop)
    backend.router.add_get("/sessions", sessions.list)
    backend.router.add_put("/silence", sessions.silence)
    pages.router.add_route("*", "/{path:.*}", sessions.answer)
    for application, port in ((backend, backend_port), (pages, sessions_port)):
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=2048).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
