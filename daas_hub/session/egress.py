"""The few addresses outside that a session may connect to: loopback ports, each handed on to a socket file.

Runs in a thread with an event loop of its own: what keeps the session's server busy must not stop a licence.
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


def open_egress_ports(ways: Sequence[EgressRoute]) -> None:
    """Listen for this session's programs; without ways, do nothing."""
    if ways:
        threading.Thread(target=lambda: asyncio.run(_serve(ways)), name="ways out", daemon=True).start()


async def _serve(ways: Sequence[EgressRoute]) -> None:
    servers = []
    try:
        for way in ways:
            try:
                servers.append(await asyncio.start_server(_handler(way), way.address, way.port))
            except OSError as problem:
                _log.warning("port %d stays closed: %s", way.port, problem)
        await asyncio.Event().wait()
    finally:
        for server in servers:
            server.close()


def _handler(way: EgressRoute) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await relay(reader, writer, asyncio.open_unix_connection(way.socket))
        except OSError as problem:
            _log.warning("nothing leads out to port %d: %s", way.port, problem)

    return connected
