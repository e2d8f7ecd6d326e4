"""Checks the addresses that applications may connect to: none may lead back to the portal."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from urllib.parse import urlsplit

from traitlets.config import Config

from daas_hub.facility import Facility
from daas_hub.findings import Finding, problem

_PORTS = {"http": 80, "https": 443}
_LOOKUP_TIMEOUT_S = 5.0


async def check_egress(config: Config, facility: Facility) -> list[Finding]:
    """Report applications whose egress reaches the portal; there, none of a session's limits would apply."""
    hub, proxy = config.JupyterHub, config.ConfigurableHTTPProxy
    own = [
        str(url)
        for url in (
            hub.get("public_url", ""),
            hub.get("bind_url", "http://127.0.0.1:8000"),
            hub.get("hub_bind_url", "http://127.0.0.1:8081"),
            proxy.get("api_url", "http://127.0.0.1:8001"),
        )
        if url and "://" in str(url)
    ]
    places = {place for url in own for place in await _places(url)}
    findings = []
    for application in facility.applications.applications.values():
        for address in application.egress:
            host, _, port = address.rpartition(":")
            if places & await _places(f"tcp://{host}:{port}"):
                findings.append(
                    problem(
                        "site.egress",
                        f"check the egress of {application.name}",
                        f"{address} is the portal: its sessions could send it requests without limits",
                        "Remove it: a session reaches the hub's API by its own socket.",
                    )
                )
    return findings


async def _places(url: str) -> set[tuple[str, int]]:
    """Return the host and the port of a URL, by name and by every address that the name has."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    host = (parts.hostname or "127.0.0.1").lower()
    found = {(host, port)}
    with contextlib.suppress(OSError, TimeoutError, UnicodeError):
        async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found |= {(str(info[4][0]), port) for info in infos}
    return found
