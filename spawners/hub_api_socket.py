"""A socket file over which sessions reach the hub's REST API, and nothing else of the hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket
from tornado.routing import PathMatches, Rule, RuleRouter

SOCKET = "api.sock"

_servers: dict[Path, HTTPServer] = {}


def open_api_socket(folder: Path, application: Any, hub_prefix: str) -> None:
    """Serve the hub's API on `folder`/api.sock; once per process, a second call does nothing.

    The folder, not the file, is mounted into sessions, so that they find the new socket after a restart of the hub.

    Args:
        application: the hub's tornado application.
        hub_prefix: the hub's path, for instance "/hub/".
    """
    if folder in _servers:
        return
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    only_api = RuleRouter([Rule(PathMatches(re.escape(hub_prefix) + r"api(/.*)?"), application)])
    server = HTTPServer(only_api, max_body_size=1_000_000)
    # sessions of every account connect; they authenticate by their token, as on the hub's TCP port
    server.add_socket(bind_unix_socket(os.fspath(folder / SOCKET), mode=0o666, backlog=128))
    _servers[folder] = server


def close_api_sockets() -> None:
    """Close all API sockets of this process (tests start more than one hub)."""
    for server in _servers.values():
        server.stop()
    _servers.clear()
