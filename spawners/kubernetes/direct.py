"""Which API servers are reached without the web proxy that the hub's environment names."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import aiohttp
from kubernetes_asyncio.client import ApiClient

#: As large as the library's own: one line of a watch is a whole pod.
_READ_BUFFER = 2**21


def is_direct(url: str, *, in_cluster: bool) -> bool:
    """Return whether no proxy is used: for the hub's own cluster, and for a network in NO_PROXY.

    Python compares NO_PROXY with ends of names only, and clusters are configured with networks: "10.96.0.0/12".
    """
    if in_cluster:
        return True
    try:
        address = ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return any(_is_in(address, one.strip()) for one in getproxies_environment().get("no", "").split(","))


def _is_in(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def without_proxy(library: ApiClient) -> None:
    """Let a client of the library ignore the proxies of the environment."""
    old = library.rest_client.pool_manager
    connector = old.connector
    old.detach()
    library.rest_client.pool_manager = aiohttp.ClientSession(
        connector=connector, trust_env=False, read_bufsize=_READ_BUFFER
    )
