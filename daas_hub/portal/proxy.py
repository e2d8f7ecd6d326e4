"""The hub's proxy without its activity tracking: an open desktop tab transfers bytes all the time."""

from __future__ import annotations

import asyncio
import os
from http import HTTPStatus
from typing import Any

from aiohttp import ClientResponseError
from jupyterhub.proxy import ConfigurableHTTPProxy

from daas_hub.errors import SessionFailed
from daas_hub.portal.route_watch import RouteWatch
from daas_hub.proxy_guard import guard_environment

_NOT_ACCEPTED = (
    "The proxy at %s does not accept this hub's token: the two were started with different values of "
    "CONFIGPROXY_AUTH_TOKEN. Restart the proxy (systemctl restart daas-hub-proxy); open desktops reconnect."
)


class PortalProxy(ConfigurableHTTPProxy):
    """configurable-http-proxy without `last_activity` in its routes, and with a host name for each session.

    Activity is what sessions report themselves: `daas-session` counts keyboard and pointer only, a notebook server its
    kernels and terminals.
    """

    #: Whether this hub ever got its routes; until then it is starting.
    _has_answered = False
    #: Watches the routes of a proxy that the hub has not started, from then on.
    _watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the proxy, with what its guard is configured with."""
        trusted = self.config.UmbrellaAuthenticator.get("trusted_proxy") or {}
        os.environ.update(guard_environment(trusted, self.hub.base_url))
        await super().start()

    async def get_all_routes(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the proxy's routes without `last_activity`."""
        try:
            routes: dict[str, Any] = await super().get_all_routes(*args, **kwargs)
        except ClientResponseError as refusal:
            if refusal.status != HTTPStatus.FORBIDDEN:
                raise
            self.log.critical(_NOT_ACCEPTED, self.api_url)
            if not self._has_answered:
                self.app.exit(1)
            raise
        self._has_answered = True
        if self._watching is None and not self.should_start:
            self._watching = asyncio.get_running_loop().create_task(RouteWatch(self).run())
        for route in routes.values():
            route.get("data", {}).pop("last_activity", None)
        return routes

    async def add_user(self, user: Any, server_name: str = "", **kwargs: Any) -> None:
        """Add the route of a session; a launch in progress measures it."""
        launching = getattr(user.spawners[server_name], "launching", None)
        if launching is not None:
            launching.enter("route")
        try:
            await super().add_user(user, server_name, **kwargs)
        except Exception:
            # the hub logs it, and stops the session
            if launching is not None:
                launching.failed(SessionFailed("The proxy did not accept the route of the session."))
            raise

    async def delete_user(self, user: Any, server_name: str = "") -> None:
        """Delete the route of a session, which may be on the session's own host name."""
        route = user.spawners[server_name].proxy_spec
        self.log.info("Removing user %s from proxy (%s)", user.name, route)
        await self.delete_route(route)
