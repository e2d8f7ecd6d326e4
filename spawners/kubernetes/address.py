"""Addresses as an administrator, the cluster and a connection write them. Pure."""

from __future__ import annotations

import ipaddress


def host_and_port(address: str) -> tuple[str, int]:
    """Return host and port of "host:port" or "[::1]:port".

    Raises:
        ValueError: it is not one.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ValueError("expected host:port")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("expected [address]:port for IPv6")
    return host.strip("[]"), int(port)


def address_and_port(address: str, port: int) -> str:
    """Return "host:port", with brackets around an IPv6 address."""
    return f"{f'[{address}]' if ':' in address else address}:{port}"


def plain(address: str) -> str:
    """Return an IP address in the spelling of the API server; "" for what cannot be a pod's."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return "" if found.is_unspecified or found.is_multicast or found.is_link_local else str(found)
