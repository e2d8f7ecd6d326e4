"""Host names of sessions: what a session serves is another origin than the portal, and than every other session.

JupyterHub gives each user a host name where `JupyterHub.subdomain_host` is set. Two sessions of one person have
different data, so here each session has its own; it is a single label, so that one wildcard record and one wildcard
certificate are enough.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.utils import url_escape_path, url_path_join


def session_host(user: Any, name: str, *, one_each: bool) -> str:
    """Return the host name of a session; "" where sessions share the portal's."""
    if not user.settings.get("subdomain_host"):
        return ""
    if not one_each:
        return str(user.domain)
    label = hashlib.sha256(f"{user.name}/{name}".encode()).hexdigest()[:24]
    return f"s-{label}.{user.settings['domain']}"


def session_url(user: Any, name: str, *, one_each: bool) -> str:
    """Return the address of a session: absolute where it has a host name, else a path on the portal's."""
    path = url_path_join(user.base_url, url_escape_path(name), "/")
    host = session_host(user, name, one_each=one_each)
    if not host:
        return path
    portal = urlsplit(user.settings["subdomain_host"])
    port = f":{portal.port}" if portal.port else ""
    return f"{portal.scheme}://{host}{port}{path}"
