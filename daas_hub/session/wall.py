"""Which addresses a session can connect to: what must be closed to it is closed when its wall has come into force.

The rules of a new pod lag behind its first packets in some networks. So each address is tried again all the time, and
the newest answer counts: an attempt from before the rules may never be answered.
"""

from __future__ import annotations

import errno
import select
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

#: Seconds of silence after which an address counts as closed; within them it is tried several times.
SILENCE_S = 0.5
_TRY_AGAIN_S = 0.05


def open_addresses(addresses: Sequence[str], *, limit_s: float) -> list[str]:
    """Return which of these addresses ("host:port") accept a connection, and still do after `limit_s`."""
    until = time.monotonic() + limit_s
    found: set[str] = set()

    def attempt(address: str) -> None:
        if any(_stays_open(*one, until) for one in _resolved(address)):
            found.add(address)

    threads = [threading.Thread(target=attempt, args=(one,), daemon=True) for one in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for one in addresses if one in found]


def _resolved(address: str) -> list[tuple[int, Any]]:
    """Return family and address of each end that this may be; [] for one that is not one here."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError, OverflowError):
        return []
    return [(one[0], one[4]) for one in found]


def _stays_open(family: int, end: Any, until: float) -> bool:
    """Return whether an address still accepts connections at this time; False as soon as it does not."""
    attempts: dict[socket.socket, float] = {}
    try:
        while True:
            attempt = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            attempts[attempt] = time.monotonic()
            if attempt.connect_ex(end) not in (0, errno.EINPROGRESS):
                return False
            _, answered, _ = select.select((), list(attempts), (), _TRY_AGAIN_S)
            if any(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for one in answered):
                return False
            if answered:
                if time.monotonic() >= until:
                    return True
                _close(attempts)
                time.sleep(_TRY_AGAIN_S)
            elif time.monotonic() - min(attempts.values()) >= SILENCE_S:
                return False
    finally:
        _close(attempts)


def _close(attempts: dict[socket.socket, float]) -> None:
    for one in attempts:
        one.close()
    attempts.clear()
