"""Scripts, styles, icons and the logo: all from this host."""

from __future__ import annotations

import functools
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from tornado import web

from daas_hub.catalogue import Application, icon_file
from daas_hub.facility import Facility
from daas_hub.portal.hub_requests import CONTENT_SECURITY_POLICY

FOLDER = Path(str(files("daas_hub.templates") / "static"))

#: Files of the page of a desktop. The portal serves them, too: pages with launch buttons fetch them ahead.
SESSION_FOLDER = Path(str(files("daas_hub"))) / "session" / "static"
SESSION_ASSETS = ("early.js", "desktop.css", "desktop.js")

_LONG = "public, max-age=31536000, immutable"
_HOUR = "public, max-age=3600"


def static_address(hub_url: str, path: str) -> str:
    """Return the address of an asset; it changes with the content, so browsers can cache it forever."""
    return f"{hub_url}daas/static/{path}?v={_content_key(FOLDER / path)}"


def session_asset_keys(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of the files of a desktop's page by their names; none if sessions have host names of their own.

    A page of another host would need a policy that trusts the portal's host, too.

    Args:
        settings: the hub's, as its handlers have them.
    """
    return (
        {} if settings.get("subdomain_host") else {name: _content_key(SESSION_FOLDER / name) for name in SESSION_ASSETS}
    )


def session_asset_addresses(hub_url: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the addresses at which the portal serves these files."""
    return [session_asset_address(hub_url, name) for name in session_asset_keys(settings)]


def session_asset_address(hub_url: str, name: str) -> str:
    """Return the address of one of them."""
    return f"{hub_url}daas/session/{name}?v={session_asset_key(name)}"


def session_asset_key(name: str) -> str:
    """Return the key of its contents, as the session computes it."""
    return _content_key(SESSION_FOLDER / name)


def icon_address(hub_url: str, application: Application | None) -> str:
    """Return the address of an application's icon; the default icon for None."""
    if application is None:
        return static_address(hub_url, "icons/default.svg")
    if application.icon is not None:
        return f"{hub_url}daas/icons/{application.name}.svg?v={_content_key(application.icon)}"
    return static_address(hub_url, f"icons/{icon_file(application).name}")


@functools.lru_cache(maxsize=500)
def _content_key(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError:
        return "0"


class _Headers(web.RequestHandler):
    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        # an SVG opened directly is a page: it must not run scripts either
        self.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)


class AssetHandler(_Headers, web.StaticFileHandler):
    """The portal's own scripts and styles; the same for everybody, so no login is needed."""

    folder = FOLDER

    def initialize(self) -> None:  # type: ignore[override]  # the folder is ours, not an argument
        """Serve our folder."""
        super().initialize(path=str(self.folder))

    def set_extra_headers(self, path: str) -> None:
        """Let browsers cache a versioned address."""
        self.set_header("Cache-Control", _LONG if self.get_query_argument("v", None) else "no-cache")


class SessionAssetHandler(AssetHandler):
    """Scripts and styles of a desktop's page, which are the same in every session; the route names the files."""

    folder = SESSION_FOLDER


class IconHandler(_Headers):
    """Icons next to their application's file."""

    def get(self, name: str) -> None:
        """Send the icon of a catalogue entry; the name is looked up, never part of a path."""
        match = re.fullmatch(r"([a-z0-9-]+)\.svg", name)
        application = Facility.instance().applications.applications.get(match[1]) if match else None
        if application is None or application.icon is None:
            raise web.HTTPError(404)
        _send(self, application.icon, "image/svg+xml")


class LogoHandler(_Headers):
    """The logo; it replaces the hub's `/logo`, which sessions and services also show."""

    def initialize(self, path: Path) -> None:
        """Serve this file."""
        self._path = path

    def get(self) -> None:
        """Send it."""
        _send(self, self._path, mimetypes.guess_type(self._path.name)[0] or "image/png", keep=_HOUR)


def _send(handler: web.RequestHandler, path: Path, kind: str, *, keep: str = _LONG) -> None:
    try:
        content: Any = path.read_bytes()
    except OSError:
        raise web.HTTPError(404) from None
    handler.set_header("Content-Type", kind)
    handler.set_header("Cache-Control", keep)
    handler.finish(content)
