"""The page of a desktop while its session starts: the browser loads it from the portal, which can respond already.

It is the session's own page with the same scripts. They connect to the session, whose listening socket keeps what it
receives until the server reads it. The address in the browser is the session's, so a reload loads the session's page.
"""

from __future__ import annotations

import functools
from typing import Any

from tornado import template, web

from daas_hub.launch_login import PAGE_SCRIPT
from daas_hub.portal.assets import SESSION_FOLDER, session_asset_address, session_asset_key
from daas_hub.portal.base import PortalHandler

#: As the session's own: the scripts of a desktop set styles, and draw pictures that they were sent.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def is_browser(request: Any) -> bool:
    """Return whether a browser follows a link or sends a form, as opposed to a program (Fetch Metadata)."""
    return str(request.headers.get("Sec-Fetch-Mode", "")) == "navigate"


class DesktopPageHandler(PortalHandler):
    """`/sessions/<name>/desktop`: the page of a desktop that this browser has launched."""

    @property
    def content_security_policy(self) -> str:
        """The policy of the page of a desktop."""
        return _POLICY

    @web.authenticated
    async def get(self, name: str) -> None:
        """Show it; a session that this hub has not started leads to its own page."""
        user = self.current_user
        if name not in user.orm_spawners:
            raise web.HTTPError(404, "You have no such session.")
        spawner = user.spawners[name]
        page = getattr(spawner, "desktop_page", None)
        # a browser cannot be given the address of another host name
        if page is None or not spawner.active or self.settings.get("subdomain_host"):
            self.redirect(f"{self.hub_url}sessions/{name}")
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(
            _template().generate(
                title=page.title,
                session_title=page.session_title,
                belongs_to=page.belongs_to,
                temporary_home=page.temporary_home,
                hub_home_url=f"{self.hub_url}home",
                asset=functools.partial(session_asset_address, self.hub_url),
                address=spawner.session_url,
                page=session_asset_key(PAGE_SCRIPT),
                clipboard=True,
            )
        )


@functools.cache
def _template() -> template.Template:
    return template.Loader(str(SESSION_FOLDER)).load("index.html")
