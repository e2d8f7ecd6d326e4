"""The hub's proxy without its activity tracking: an open desktop tab transfers bytes all the time."""

from __future__ import annotations

from typing import Any

from jupyterhub.proxy import ConfigurableHTTPProxy


class PortalProxy(ConfigurableHTTPProxy):
    """configurable-http-proxy without `last_activity` in its routes, and with a host name for each session.

    Activity is what sessions report themselves: `daas-session` counts keyboard and pointer only, a notebook server its
    kernels and terminals.
    """

    async def get_all_routes(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the proxy's routes without `last_activity`."""
        routes: dict[str, Any] = await super().get_all_routes(*args, **kwargs)
        for route in routes.values():
            route.get("data", {}).pop("last_activity", None)
        return routes

    async def delete_user(self, user: Any, server_name: str = "") -> None:
        """Delete the route of a session, which may be on the session's own host name."""
        route = user.spawners[server_name].proxy_spec
        self.log.info("Removing user %s from proxy (%s)", user.name, route)
        await self.delete_route(route)
