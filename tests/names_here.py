"""Names below `localhost` for tests in Python: browsers find them on this machine, Debian's resolver does not."""

from __future__ import annotations

import socket
from typing import Any

import pytest

#: The portal's name in tests; those of sessions are below it.
NAME = "daas.localhost"


def find_names_here(patch: pytest.MonkeyPatch) -> None:
    """Find every name below localhost on this machine."""
    getaddrinfo = socket.getaddrinfo

    def found(host: Any, *args: Any, **more: Any) -> Any:
        is_here = isinstance(host, str) and host.endswith(".localhost")
        return getaddrinfo("127.0.0.1" if is_here else host, *args, **more)

    patch.setattr(socket, "getaddrinfo", found)
