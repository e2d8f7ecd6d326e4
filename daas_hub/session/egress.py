"""The session's side of egress: a loopback port for each allowed address, forwarded to a socket file of the hub.

It runs in a thread with its own event loop: work of the session's server must not interrupt a licence's connection.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from daas_hub.relay import relay
from daas_hub.session.settings import EgressRoute

_log = logging.getLogger("daas-session")


def open_egress_ports(routes: Sequence[EgressRoute]) -> None:
    """Listen on the loopback ports of these routes; without routes, do nothing."""
    if routes:
        threading.Thread(target=lambda: asyncio.run(_serve(routes)), name="egress", daemon=True).start()


async def _serve(routes: Sequence[EgressRoute]) -> None:
    servers = []
    try:
        for route in routes:
            try:
                servers.append(await asyncio.start_server(_handler(route), route.address, route.port))
            except OSError as problem:
                _log.warning("egress port %d cannot be opened: %s", route.port, problem)
        await asyncio.Event().wait()
    finally:
        for server in servers:
            server.close()


def _handler(route: EgressRoute) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await relay(reader, writer, asyncio.open_unix_connection(route.socket))
        except OSError as problem:
            _log.warning("egress port %d: %s", route.port, problem)

    return connected
