"""The route of a session that accepts connections and has not responded yet.

A browser that is sent there at once signs in at the session while its screen starts. What it requests waits in the
session's listening socket, which the hub created. The session alone decides who may enter, early or not.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from jupyterhub.objects import Server

_log = logging.getLogger("jupyterhub.daas")

#: Seconds that the proxy has for it: the page that shows the progress is the alternative.
_PROXY_S = 1.0

#: Starts whose routes were added early, by route.
_routed: dict[str, asyncio.Future[Any]] = {}
_deletions: set[asyncio.Future[Any]] = set()


def is_routed_early(spawner: Any) -> bool:
    """Return whether a browser can be sent to a session that is starting."""
    return bool(spawner.pending == "spawn") and spawner.proxy_spec in _routed


async def wait_accepting(spawner: Any) -> None:
    """Wait until the session of this start accepts connections; for ever, if its backend does not report it."""
    if (accepting := getattr(spawner, "wait_accepting", None)) is None:
        await asyncio.Event().wait()
    else:
        await accepting()


async def route_early(proxy: Any, spawner: Any) -> None:
    """Add the session's route now, and delete it if the start fails.

    JupyterHub adds the same route when the session has responded, and leaves those of pending sessions alone.
    """
    start, route = spawner._spawn_future, spawner.proxy_spec
    if start is None or start.done():
        return
    data = {"user": spawner.user.name, "server_name": spawner.name}
    try:
        async with asyncio.timeout(_PROXY_S):
            await proxy.add_route(route, Server.from_url(spawner.early_address).host, data)
    except Exception as problem:
        # JupyterHub will try the same, and has words for its failure
        _log.warning("%s has no route yet: %s", spawner._log_name, problem)
        return
    _routed[route] = start

    def finished(ended: asyncio.Future[Any]) -> None:
        if _routed.get(route) is not ended:
            return
        del _routed[route]
        if ended.cancelled() or ended.exception() is not None or not spawner.active:
            deletion = asyncio.ensure_future(_delete(proxy, route))
            _deletions.add(deletion)
            deletion.add_done_callback(_deletions.discard)

    # at once, if it has failed meanwhile
    start.add_done_callback(finished)


async def _delete(proxy: Any, route: str) -> None:
    try:
        await proxy.delete_route(route)
    except Exception as problem:
        # the hub compares its routes with the proxy's every few minutes
        _log.warning("the route %s was not deleted: %s", route, problem)
