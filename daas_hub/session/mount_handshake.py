"""A container's arrival: it shows the hub what was mounted, and is given its environment and its listening socket.

A container cannot inherit an open socket, and what stands in its configuration can be read by whoever may ask the
engine. So it is started with nothing but the path of a door. Behind it the hub compares the directories, which are
shown open, with those it granted, and only then hands over what makes a session of it.

Where the hub is on another machine, no descriptor reaches it: the door is this program's own input and output, the
directories are told by their numbers, and the socket is made here.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable, MutableMapping

#: Seconds the hub may take: it only compares numbers.
TIMEOUT_S = 30.0
_MAX_BYTES = 1_000_000
#: What stands for a door behind which the hub is not: input and output, and the path of the socket to make.
_STANDARD = "-"


def arrive(env: MutableMapping[str, str] = os.environ) -> None:
    """Go through the door `DAAS_DOOR` names, and take the environment from behind it; without one, do nothing.

    Raises:
        OSError: the hub is not there, or refused what was mounted.
    """
    door = env.pop("DAAS_DOOR", "")
    if not door:
        return
    if door.startswith(_STANDARD):
        given, listening = _arrive_elsewhere(door.removeprefix(_STANDARD))
    else:
        given, listening = _arrive_here(door)
    # files for colleagues: the group may change them, everybody else nothing
    os.umask(0o007)
    env.update({str(name): str(value) for name, value in given.items()})
    env["DAAS_LISTEN_FD"] = str(listening)


def _arrive_here(door: str) -> tuple[dict[str, object], int]:
    """Show the open directories at a socket of this machine."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hub:
        hub.settimeout(TIMEOUT_S)
        hub.connect(door)
        shown = [_opened(path) for path in json.loads(_read_line(hub.recv))]
        try:
            socket.send_fds(hub, [b"\n"], shown)
        finally:
            for fd in shown:
                os.close(fd)
        said, fds, _, _ = socket.recv_fds(hub, 1, 1)
        if not said or not fds:
            raise ConnectionRefusedError("the hub did not let this session in; its log says why")
        return json.loads(_read_line(hub.recv)), fds[0]


def _arrive_elsewhere(path: str) -> tuple[dict[str, object], int]:
    """Tell the directories to a hub on another machine; make the socket it will be connected to."""
    read = _with_patience(0)
    shown = []
    for directory in json.loads(_read_line(read)):
        fd = _opened(directory)
        status = os.fstat(fd)
        shown.append([status.st_dev, status.st_ino, bool(os.fstatvfs(fd).f_flag & os.ST_RDONLY)])
        os.close(fd)
    print(json.dumps(shown), flush=True)
    given = json.loads(_read_line(read))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(256)
    listener.set_inheritable(True)
    # the hub lets go of this program only now
    print(json.dumps("in"), flush=True)
    # nothing that the session starts reads what is meant for its beginning
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return given, listener.detach()


def _opened(directory: str) -> int:
    return os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)


def _with_patience(fd: int) -> Callable[[int], bytes]:
    """Return a read of this descriptor that does not wait for ever."""
    latest = time.monotonic() + TIMEOUT_S

    def read(size: int) -> bytes:
        if not select.select([fd], [], [], max(0.0, latest - time.monotonic()))[0]:
            raise TimeoutError("the hub did not let this session in; its log says why")
        return os.read(fd, size)

    return read


def _read_line(read: Callable[[int], bytes]) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = read(1 if not line else 65536)
        if not piece or len(line) > _MAX_BYTES:
            raise ConnectionRefusedError("the hub did not let this session in; its log says why")
        line += piece
    return bytes(line)
