"""Which images an engine has, asked once before the hub runs, for a catalogue that offers only those."""

from __future__ import annotations

import contextlib
import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path

TIMEOUT_S = 10


class _EngineConnection(HTTPConnection):
    """HTTP over the engine's socket file, whose path is the host."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self.host)


def has_image(engine: Path, reference: str) -> bool:
    """Return whether the engine has an image; True if it does not answer, because a launch then says what is wrong.

    Args:
        engine: its socket file, or the broker's.
    """
    with contextlib.closing(_EngineConnection(str(engine))) as connection:
        try:
            connection.request("GET", f"/v1.44/images/{reference}/json", headers={"Host": "engine"})
            return connection.getresponse().status != 404
        except (OSError, HTTPException):
            return True
