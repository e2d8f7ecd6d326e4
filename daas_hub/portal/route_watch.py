"""Notices that a proxy of its own service was restarted: it remembers no route, so nobody reaches a session or the hub.

JupyterHub compares the routes every five minutes, and the reconciler every minute. One route is asked for here, every
two seconds; with a thousand sessions all of them would be 200 kB.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiohttp import ClientError, ClientTimeout
from jupyterhub.httpclient import fetch
from jupyterhub.utils import url_path_join

#: Seconds between two questions, and while the proxy does not answer.
EVERY_S, AWAY_S = 2.0, 0.5
_TIMEOUT = ClientTimeout(total=5)


class RouteWatch:
    """Watches the routes of a proxy that the hub has not started.

    Args:
        proxy: JupyterHub's `ConfigurableHTTPProxy`.
    """

    def __init__(self, proxy: Any) -> None:
        self._proxy = proxy

    async def run(self) -> None:
        """Watch until the hub ends."""
        while True:
            has_routes = None
            try:
                has_routes = await self.has_routes()
                if has_routes is False:
                    hub = self._proxy.app
                    hub.log.warning("the proxy has lost its routes, as after a restart: they are added again")
                    await self._proxy.check_routes(hub.users, hub._service_map)
            except Exception:
                # whatever it is: the next look must come
                self._proxy.log.exception("the routes of the proxy could not be added again")
            await asyncio.sleep(AWAY_S if has_routes is None else EVERY_S)

    async def has_routes(self) -> bool | None:
        """Return whether the proxy has the route of a session, or the hub's without one; None if it does not answer."""
        proxy, session = self._proxy, self._a_session()
        path = proxy._routespec_to_chp_path(session or proxy.app.hub.routespec)
        with contextlib.suppress(OSError, TimeoutError, ClientError, ValueError):
            answer = await fetch(
                url_path_join(proxy.api_url, "api/routes", path),
                headers={"Authorization": f"token {proxy.auth_token}"},
                raise_for_status=False,
                timeout=_TIMEOUT,
            )
            async with answer:
                if answer.status == 404:
                    return False
                if answer.status == 200:
                    # "/" stands for all routes
                    return path != "/" or path in await answer.json()
        return None

    def _a_session(self) -> str:
        """Return the route of a session that is ready; "" if there is none."""
        for user in self._proxy.app.users.values():
            for spawner in user.spawners.values():
                if spawner.ready:
                    return str(spawner.proxy_spec)
        return ""
