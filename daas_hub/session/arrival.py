"""A container's arrival: it shows the hub what was mounted, and is given its environment and its listening socket.

A container cannot inherit an open socket, and what stands in its configuration can be read by whoever may ask the
engine. So it is started with nothing but the path of a door. Behind it the hub compares the directories, which are
shown open, with those it granted, and only then hands over what makes a session of it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import MutableMapping

#: Seconds the hub may take: it only compares numbers.
TIMEOUT_S = 30.0
_MOST_BYTES = 1_000_000


def arrive(env: MutableMapping[str, str] = os.environ) -> None:
    """Go through the door `DAAS_DOOR` names, and take the environment from behind it; without one, do nothing.

    Raises:
        OSError: the hub is not there, or refused what was mounted.
    """
    door = env.pop("DAAS_DOOR", "")
    if not door:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hub:
        hub.settimeout(TIMEOUT_S)
        hub.connect(door)
        shown = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW) for path in json.loads(_read_line(hub))]
        try:
            socket.send_fds(hub, [b"\n"], shown)
        finally:
            for fd in shown:
                os.close(fd)
        said, fds, _, _ = socket.recv_fds(hub, 1, 1)
        if not said or not fds:
            raise ConnectionRefusedError("the hub did not let this session in; its log says why")
        given = json.loads(_read_line(hub))
    # files for colleagues: the group may change them, everybody else nothing
    os.umask(0o007)
    env.update({str(name): str(value) for name, value in given.items()})
    env["DAAS_LISTEN_FD"] = str(fds[0])


def _read_line(hub: socket.socket) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = hub.recv(1 if not line else 65536)
        if not piece or len(line) > _MOST_BYTES:
            raise ConnectionRefusedError("the hub did not let this session in; its log says why")
        line += piece
    return bytes(line)
