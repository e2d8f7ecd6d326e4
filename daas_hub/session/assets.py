"""The files of a desktop's page, and their addresses."""

from __future__ import annotations

import functools
import hashlib
import zlib
from pathlib import Path

from daas_hub.session.settings import Settings

#: The folder next to this file: importlib.resources would cost 10 ms of every start.
STATIC = Path(__file__).with_name("static")


def asset_address(settings: Settings, name: str) -> str:
    """Return the address of a file of the page: the portal's if it has the same, where browsers may have it already.

    The image of a session may be of another release than the portal.
    """
    key = content_key(name)
    if settings.asset_keys.get(name) == key and settings.shares_hub_host:
        return f"{settings.hub_prefix}daas/session/{name}?v={key}"
    return f"static/{name}?v={assets_version()}"


@functools.cache
def content_key(name: str) -> str:
    """Return the key of one file's contents, as the portal computes it."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


@functools.cache
def assets_version() -> str:
    """Return the cache key of the assets: it changes with any of them."""
    assets = sorted(STATIC.iterdir())
    return f"{zlib.crc32(b''.join(asset.read_bytes() for asset in assets)):x}"
