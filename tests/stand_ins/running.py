"""Runs a stand-in: for a test on a free port, or for a person who looks at it."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

#: What was asked of it: method, path, query, and what else a test wants to see.
REQUESTS = web.AppKey("REQUESTS", list[web.BaseRequest])


@asynccontextmanager
async def running(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run it until the end of the block; gives its address."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@contextmanager
def running_beside(app: web.Application, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run it in a thread with its own event loop, for tests with a whole portal, and return its URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stand_in = running(app, tls)
    try:
        yield asyncio.run_coroutine_threadsafe(stand_in.__aenter__(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(stand_in.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def main(make: Callable[[], web.Application], description: str) -> None:
    """Run it on a port of this machine until Ctrl-C."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=9000)
    port = parser.parse_args().port
    web.run_app(make(), host="127.0.0.1", port=port)
