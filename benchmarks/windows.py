"""The titles of the windows on an X server, read over its unix socket in a few requests of the X11 protocol.

An Xvnc inside a sandbox has its socket in another mount namespace and trusts only its own user: the socket is
reached through the server's folder in ``/proc`` and opened with that user's effective id.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WM_NAME, ANY_TYPE = 39, 0
COOKIE = b"MIT-MAGIC-COOKIE-1"


class XServer:
    """One connection to an X server, little-endian."""

    def __init__(self, path: Path, uid: int, cookie: bytes = b"") -> None:
        """Connect to the socket ``path`` as the user ``uid``, showing ``cookie`` when there is one."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(5)
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            with _effective_user(uid):
                self._socket.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        self._root = self._set_up(cookie)
        self._client_list = self._intern("_NET_CLIENT_LIST")
        self._net_name = self._intern("_NET_WM_NAME")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def titles(self) -> list[str]:
        """The titles of the windows the window manager manages."""
        listed = self._property(self._root, self._client_list)
        windows = struct.unpack(f"<{len(listed) // 4}I", listed)
        return [name for window in windows if (name := self._title(window))]

    def _title(self, window: int) -> str:
        raw = self._property(window, self._net_name) or self._property(window, WM_NAME)
        return raw.decode(errors="replace")

    def _set_up(self, cookie: bytes) -> int:
        """Open the session; return the root window of the first screen."""
        name = COOKIE if cookie else b""
        head = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(cookie))
        self._socket.sendall(head + _padded(name) + _padded(cookie))
        status, length = struct.unpack("<BxxxxxH", self._read(8))
        body = self._read(length * 4)
        if status != 1:
            raise PermissionError(f"the X server refused: {body.decode(errors='replace').strip()}")
        vendor, formats = struct.unpack_from("<H", body, 16)[0], body[21]
        (root,) = struct.unpack_from("<I", body, 32 + (vendor + 3) // 4 * 4 + formats * 8)
        return int(root)

    def _intern(self, name: str) -> int:
        raw = name.encode()
        padded = _padded(raw)
        self._socket.sendall(struct.pack("<BBHHxx", 16, 0, 2 + len(padded) // 4, len(raw)) + padded)
        return int(struct.unpack_from("<I", self._reply(), 8)[0])

    def _property(self, window: int, name: int) -> bytes:
        """The value of a window's property; empty when the window or the property is not there."""
        self._socket.sendall(struct.pack("<BBHIIIII", 20, 0, 6, window, name, ANY_TYPE, 0, 4096))
        reply = self._reply()
        if reply[0] == 0:
            return b""
        size = reply[1] // 8 * struct.unpack_from("<I", reply, 16)[0]
        return reply[32 : 32 + size]

    def _reply(self) -> bytes:
        """The next reply or error; nobody asked for events."""
        head = self._read(32)
        return head + self._read(struct.unpack_from("<I", head, 4)[0] * 4) if head[0] == 1 else head

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the X server closed the connection")
            data += piece
        return data


@contextmanager
def _effective_user(uid: int) -> Iterator[None]:
    """Be ``uid`` for a moment, where this process may."""
    before = os.geteuid()
    if before == uid or before != 0:
        yield
        return
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(before)


def has_window(xvnc: int, title: str) -> bool:
    """Whether the Xvnc of process ``xvnc`` shows a managed window with ``title`` in its name; false while it starts."""
    try:
        return any(title in name for name in window_titles(xvnc))
    except OSError:
        return False


def window_titles(xvnc: int) -> list[str]:
    """The titles of the managed windows on the Xvnc of process ``xvnc``."""
    process = Path(f"/proc/{xvnc}")
    words = (process / "cmdline").read_text().split("\0")
    place = _socket_of(process)
    cookie = b""
    if "-auth" in words:
        authority = words[words.index("-auth") + 1]
        cookie = _cookie(process / "root" / authority.lstrip("/"), place.name.removeprefix("X"))
    server = XServer(process / "root" / place.relative_to("/"), process.stat().st_uid, cookie)
    try:
        return server.titles()
    finally:
        server.close()


def _socket_of(process: Path) -> Path:
    """The socket file on which the X server ``process`` waits for programs, as it sees it itself."""
    own = set()
    for descriptor in (process / "fd").iterdir():
        with suppress(OSError):
            own.add(descriptor.readlink().name)
    for row in (process / "net" / "unix").read_text().splitlines()[1:]:
        fields = row.split()
        if f"socket:[{fields[6]}]" in own and "/.X11-unix/" in fields[-1] and not fields[-1].startswith("@"):
            return Path(fields[-1])
    raise ConnectionError(f"process {process.name} waits on no X socket yet")


def _cookie(path: Path, number: str) -> bytes:
    """The last cookie for display ``number``, or for any, in an Xauthority file; empty when there is none."""
    data, found = path.read_bytes(), b""
    place = 0
    while place < len(data):
        place += 2
        fields = []
        for _ in ("address", "number", "name", "value"):
            (size,) = struct.unpack_from(">H", data, place)
            fields.append(data[place + 2 : place + 2 + size])
            place += 2 + size
        if fields[1] in (number.encode(), b"") and fields[2] == COOKIE:
            found = fields[3]
    return found


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
