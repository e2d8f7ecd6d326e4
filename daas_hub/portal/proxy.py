"""The hub's proxy, without its idea of activity: a desktop's tab that is only open keeps bytes flowing for ever."""

from __future__ import annotations

from typing import Any

from jupyterhub.proxy import ConfigurableHTTPProxy


class PortalProxy(ConfigurableHTTPProxy):
    """configurable-http-proxy, whose routes tell no time of last use.

    What is left is what sessions report themselves: `daas-session` counts keys and pointer only, a notebook server
    its kernels and terminals.
    """

    async def get_all_routes(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the routes as the proxy knows them, without `last_activity`."""
        routes: dict[str, Any] = await super().get_all_routes(*args, **kwargs)
        for route in routes.values():
            route.get("data", {}).pop("last_activity", None)
        return routes
