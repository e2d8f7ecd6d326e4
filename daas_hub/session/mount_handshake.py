"""The session's side of the mount handshake: it shows the hub its mounts, and receives its environment and its socket.

A container cannot inherit an open socket, and anybody who may query the engine can read its configuration. So it starts
with nothing but the path of a socket. It passes its directories to the hub as open descriptors; the hub compares them
with those it granted, and only then hands over the environment and the listening socket.

If the hub runs on another machine, descriptors cannot be passed: the handshake uses standard input and output, the
directories are reported by device and inode, and the listening socket comes from the tunnel's end (`tunnel_end`).
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable, MutableMapping

from daas_hub.session.leases import forbid_leases

#: Timeout in seconds for the hub's replies: it only compares numbers.
TIMEOUT_S = 30.0
_MAX_BYTES = 1_000_000
#: First character of `DAAS_HANDSHAKE` for standard input and output; the path of the session's socket follows.
_STDIO = "-"
#: What is added to that path for the socket at which the tunnel's end hands it over.
OFFER = ".offer"
_REFUSED = "the hub refused this session; its log says why"


def shake_hands(env: MutableMapping[str, str] = os.environ) -> None:
    """Perform the handshake that `DAAS_HANDSHAKE` names and update the environment; without one, do nothing.

    Raises:
        OSError: the hub cannot be reached, or refused the mounts, or leases cannot be forbidden.
    """
    address = env.pop("DAAS_HANDSHAKE", "")
    if not address:
        return
    if address.startswith(_STDIO):
        environment, listen_fd = _over_stdio(address.removeprefix(_STDIO))
    else:
        environment, listen_fd = _over_socket(address)
    forbid_leases()
    # new files are for the members of the proposal: writable for the group, closed to others
    os.umask(0o007)
    env.update({str(name): str(value) for name, value in environment.items()})
    env["DAAS_LISTEN_FD"] = str(listen_fd)


def _over_socket(address: str) -> tuple[dict[str, object], int]:
    """Pass the open directories to a hub on this machine."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hub:
        hub.settimeout(TIMEOUT_S)
        hub.connect(address)
        directories = [_open_directory(path) for path in json.loads(_read_line(hub.recv))]
        try:
            socket.send_fds(hub, [b"\n"], directories)
        finally:
            for fd in directories:
                os.close(fd)
        reply, fds, _, _ = socket.recv_fds(hub, 1, 1)
        if not reply or not fds:
            raise ConnectionRefusedError(_REFUSED)
        return json.loads(_read_line(hub.recv)), fds[0]


def _over_stdio(listen_path: str) -> tuple[dict[str, object], int]:
    """Report the directories to a hub on another machine, and take the socket that its tunnel leads to."""
    read = _reader(0)
    directories = [describe_directory(path) for path in json.loads(_read_line(read))]
    print(json.dumps(directories), flush=True)
    environment = json.loads(_read_line(read))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tunnel:
        tunnel.settimeout(TIMEOUT_S)
        tunnel.connect(listen_path + OFFER)
        _, fds, _, _ = socket.recv_fds(tunnel, 1, 1)
    if not fds:
        raise ConnectionRefusedError(_REFUSED)
    # the hub detaches from this program only after this line
    print(json.dumps("in"), flush=True)
    # the session's programs must not read from the handshake's input
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return environment, fds[0]


def describe_directory(path: str) -> tuple[int, int, bool]:
    """Return device and inode of a directory, and whether its mount is read-only.

    Raises:
        OSError: there is no such directory.
    """
    fd = _open_directory(path)
    try:
        status = os.fstat(fd)
        return status.st_dev, status.st_ino, bool(os.fstatvfs(fd).f_flag & os.ST_RDONLY)
    finally:
        os.close(fd)


def _open_directory(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)


def _reader(fd: int) -> Callable[[int], bytes]:
    """Return a function that reads from this descriptor and raises TimeoutError after `TIMEOUT_S`."""
    deadline = time.monotonic() + TIMEOUT_S

    def read(size: int) -> bytes:
        if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError(_REFUSED)
        return os.read(fd, size)

    return read


def _read_line(read: Callable[[int], bytes]) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = read(1 if not line else 65536)
        if not piece or len(line) > _MAX_BYTES:
            raise ConnectionRefusedError(_REFUSED)
        line += piece
    return bytes(line)
