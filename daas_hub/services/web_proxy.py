"""The web proxy of this machine, as the environment names it: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.

aiohttp's own `trust_env` is not used: it also sends passwords of ~/.netrc to whichever host has an entry there.
"""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit

import yarl

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class InvalidProxy(ValueError):
    """A variable of the environment does not name a web proxy."""


def proxy_for(url: yarl.URL) -> str | None:
    """Return the address of the proxy that leads to `url`; None for a direct connection.

    This machine is never reached through a proxy: its services may be spoken to without encryption.

    Raises:
        InvalidProxy: what the environment has is not the address of one.
    """
    if url.host is None or url.host in LOOPBACK:
        return None
    proxy = urllib.request.getproxies().get(url.scheme)
    if proxy is None or urllib.request.proxy_bypass(url.host):
        return None
    try:
        parts = urlsplit(proxy)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return proxy
    except ValueError:
        pass
    raise InvalidProxy(f"{url.scheme.upper()}_PROXY is not the address of a web proxy")
