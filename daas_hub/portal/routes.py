"""The portal's addresses below the hub's prefix: its own, and those of the hub that it replaces."""

from __future__ import annotations

import functools
import re
from typing import Any

from daas_hub.admission.hub import Admission
from daas_hub.errors import DaasError
from daas_hub.facility import Facility
from daas_hub.notices import NoticeBoard
from daas_hub.portal.activity import SessionActivityHandler
from daas_hub.portal.assets import SESSION_ASSETS, AssetHandler, IconHandler, LogoHandler, SessionAssetHandler
from daas_hub.portal.audiences import Audiences
from daas_hub.portal.audit_page import AuditHandler
from daas_hub.portal.catalogue_reload import CATALOGUE_API, reload_on_signal
from daas_hub.portal.deep_links import DeepLinkHandler
from daas_hub.portal.desktop_page import DesktopPageHandler
from daas_hub.portal.events import SessionEventsHandler
from daas_hub.portal.extensions import ExtendHandler
from daas_hub.portal.garbage_collection import collect_rarely
from daas_hub.portal.hub_pages import (
    AcceptShareHandler,
    AdministrationHandler,
    ConsentHandler,
    ProxyErrorPageHandler,
    ShareCodesHandler,
    SharesHandler,
    TokenOwnerHandler,
    TokensHandler,
    UserHandler,
)
from daas_hub.portal.hub_requests import NOTE_FAILURE
from daas_hub.portal.installation import install_templates, logo_path, require_authorising_spawner
from daas_hub.portal.launches import LaunchHandler
from daas_hub.portal.login_page import LoginPageHandler
from daas_hub.portal.lost_starts import note_failure
from daas_hub.portal.mailing import start_mailing
from daas_hub.portal.maintenance import watch_maintenance
from daas_hub.portal.notices import NOTICE_ROUTES
from daas_hub.portal.operations import OPERATORS_API
from daas_hub.portal.own_use import OwnUseHandler
from daas_hub.portal.pages import HomeHandler, ProposalHandler
from daas_hub.portal.queue_starts import start_from_queue
from daas_hub.portal.server_counts import count_rarely
from daas_hub.portal.session_clients import store_clients_cheaply
from daas_hub.portal.sessions import SessionHandler, StockSpawnHandler, StopHandler
from daas_hub.portal.unknown_sessions import UNKNOWN_SESSIONS_API


def portal_handlers(app: Any) -> list[tuple[Any, ...]]:
    """Return the handlers, for `Authenticator.get_handlers`: they come before the hub's own.

    The hub calls this once while it starts: templates and logo are installed, and an invalid configuration stops the
    hub with an error message.
    """
    try:
        Facility.of(app.config).require_safe_address(app.bind_url)
        require_authorising_spawner(app.spawner_class)
    except DaasError as problem:
        app.log.critical("%s", problem)
        app.exit(1)
    install_templates(app)
    Admission.start_with(app, functools.partial(start_from_queue, app))
    app.tornado_settings[NOTE_FAILURE] = note_failure
    count_rarely(app)
    start_mailing(app)
    reload_on_signal(app)
    store_clients_cheaply(app.oauth_provider)
    board = NoticeBoard.start_with(app.db)
    Audiences.start_with(app.db, Facility.of(app.config), board)
    watch_maintenance(app, board)
    collect_rarely()
    logo = {"path": logo_path(app)}
    return [
        (r"/home", HomeHandler),
        (r"/login", LoginPageHandler),
        # an id may have slashes: %2F does not pass every web server in front
        (r"/proposals/(.+)", ProposalHandler),
        (r"/launch", LaunchHandler),
        (r"/sessions/([^/]+)", SessionHandler),
        (r"/sessions/([^/]+)/desktop", DesktopPageHandler),
        (r"/sessions/([^/]+)/stop", StopHandler),
        (r"/sessions/([^/]+)/extend", ExtendHandler),
        (r"/audit", AuditHandler),
        (r"/daas/open", DeepLinkHandler),
        (r"/daas/events", SessionEventsHandler),
        (r"/daas/use", OwnUseHandler),
        (r"/daas/icons/([^/]+)", IconHandler),
        (r"/daas/static/(.*)", AssetHandler),
        (rf"/daas/session/({'|'.join(map(re.escape, SESSION_ASSETS))})", SessionAssetHandler),
        (r"/daas/logo", LogoHandler, logo),
        (r"/logo", LogoHandler, logo),
        # the hub's own pages would start a server by a link (GET /hub/spawn?opt-...)
        (r"/spawn(?:/.*)?", StockSpawnHandler),
        (r"/spawn-pending/[^/]+/([^/]+)", StockSpawnHandler),
        (r"/spawn-pending/[^/]+", StockSpawnHandler),
        *OPERATORS_API,
        *CATALOGUE_API,
        *UNKNOWN_SESSIONS_API,
        *NOTICE_ROUTES,
        *_HUB_PAGES,
    ]


#: The hub's own addresses, with the portal's headers or refusals.
_HUB_PAGES: list[tuple[Any, ...]] = [
    (r"/token", TokensHandler),
    (r"/admin", AdministrationHandler),
    (r"/api/oauth2/authorize", ConsentHandler),
    (r"/error/(\d+)", ProxyErrorPageHandler),
    (r"/accept-share", AcceptShareHandler),
    (r"/api/users/([^/]+)", UserHandler),
    (r"/api/users/([^/]+)/activity", SessionActivityHandler),
    (r"/api/authorizations/token/([^/]+)", TokenOwnerHandler),
    (r"/api/authorizations/token", TokenOwnerHandler),
    (r"/api/shares/([^/]+)", SharesHandler),
    (r"/api/shares/([^/]+)/([^/]*)", SharesHandler),
    (r"/api/share-codes/([^/]+)", ShareCodesHandler),
    (r"/api/share-codes/([^/]+)/([^/]*)", ShareCodesHandler),
]
