"""Addresses as an administrator writes them. Pure."""

from __future__ import annotations


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
