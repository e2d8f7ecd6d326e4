"""The demo's ports, which must be free before anything starts."""

from __future__ import annotations

import os
import socket

FIRST, COUNT = 8000, 4
LOOPBACK = "127.0.0.1"


def host_name() -> str:
    """Return the name under which the demo is opened; browsers find every name below `localhost` on this machine."""
    return os.environ.get("DAAS_DEMO_HOST") or "daas.localhost"


def first_port(default: int = FIRST) -> int:
    """Return the portal's port; the identity provider's, the hub's and the proxy's follow it."""
    return int(os.environ.get("DAAS_DEMO_PORT", default))


def busy_ports() -> list[int]:
    """Return those of the demo's ports that another program has."""
    busy = []
    for port in range(first_port(), first_port() + COUNT):
        with socket.socket() as probe:
            # as the servers bind: a connection that has just ended does not hold a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                busy.append(port)
    return busy
