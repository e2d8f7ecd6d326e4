"""The hub's proxy without its activity tracking: an open desktop tab transfers bytes all the time."""

from __future__ import annotations

from typing import Any

from jupyterhub.proxy import ConfigurableHTTPProxy


class PortalProxy(ConfigurableHTTPProxy):
    """configurable-http-proxy without `last_activity` in its routes.

    Activity is what sessions report themselves: `daas-session` counts keyboard and pointer only, a notebook server its
    kernels and terminals.
    """

    async def get_all_routes(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the proxy's routes without `last_activity`."""
        routes: dict[str, Any] = await super().get_all_routes(*args, **kwargs)
        for route in routes.values():
            route.get("data", {}).pop("last_activity", None)
        return routes
