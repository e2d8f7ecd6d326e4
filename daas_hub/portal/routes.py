"""The portal's addresses below the hub's prefix: its own, and the stock ones it replaces."""

from __future__ import annotations

from typing import Any

from daas_hub.facility import Facility
from daas_hub.portal.arrivals import ArrivalHandler
from daas_hub.portal.assets import AssetHandler, IconHandler, LogoHandler
from daas_hub.portal.events import SessionEventsHandler
from daas_hub.portal.pages import HomeHandler, LoginPageHandler, ProposalHandler
from daas_hub.portal.sessions import LaunchHandler, NothingStartsHandler, SessionHandler, StopHandler


def portal_handlers(app: Any) -> list[tuple[Any, ...]]:
    """Return the handlers, for `Authenticator.get_handlers`: they come before the hub's own.

    The facility is built here, when the hub starts, so that a mistake in its configuration is told then.
    """
    Facility.of(app.config).require_safe_address(app.bind_url)
    return [
        (r"/home", HomeHandler),
        (r"/login", LoginPageHandler),
        (r"/proposals/([^/]+)", ProposalHandler),
        (r"/launch", LaunchHandler),
        (r"/sessions/([^/]+)", SessionHandler),
        (r"/sessions/([^/]+)/stop", StopHandler),
        (r"/daas/open", ArrivalHandler),
        (r"/daas/events", SessionEventsHandler),
        (r"/daas/icons/([^/]+)", IconHandler),
        (r"/daas/logo", LogoHandler),
        (r"/daas/static/(.*)", AssetHandler),
        # the hub's own pages would start a server by a link (GET /hub/spawn?opt-...)
        (r"/spawn(?:/.*)?", NothingStartsHandler),
        (r"/spawn-pending/[^/]+/([^/]+)", NothingStartsHandler),
        (r"/spawn-pending/[^/]+", NothingStartsHandler),
    ]
