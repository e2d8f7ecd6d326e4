"""Blocking byte streams to an RFB server: straight to its unix socket, or through a websocket.

Both share one read buffer and copy large reads straight into the caller's memory, so that the two sides of a
comparison pay the same on the client and the client is not what is measured.
"""

from __future__ import annotations

import base64
import os
import select
import socket
import ssl
import struct
import time
from pathlib import Path

BUFFER_BYTES = 256 * 1024


class ByteStream:
    """A connected socket with exact reads; subclasses say how payload is framed on it."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over ``connection``; `close` gives it back to the system."""
        self._socket = connection
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._start = self._end = 0
        self.received_bytes = 0

    def close(self) -> None:
        """Close the connection; the server sees the end of it."""
        self._socket.close()

    def release(self) -> socket.socket:
        """Return the connection, of which nothing was read yet."""
        return self._socket

    def send(self, data: bytes) -> None:
        """Send ``data`` as one message."""
        self._socket.sendall(data)

    def has_more(self, within_s: float) -> bool:
        """Whether payload comes within ``within_s``; none of it is read."""
        if self._start < self._end or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return True
        return bool(select.select([self._socket], [], [], within_s)[0])

    def read(self, count: int) -> bytes:
        """Return exactly ``count`` bytes of payload."""
        target = bytearray(count)
        self.read_into(memoryview(target))
        return bytes(target)

    def read_into(self, target: memoryview) -> None:
        """Fill ``target`` with payload."""
        self._fill(target)
        self.received_bytes += len(target)

    def _fill(self, target: memoryview) -> None:
        """Fill ``target`` with the bytes that come next on the wire."""
        done = 0
        while done < len(target):
            waiting = self._end - self._start
            if waiting:
                piece = min(waiting, len(target) - done)
                target[done : done + piece] = self._buffer[self._start : self._start + piece]
                self._start += piece
                done += piece
            elif len(target) - done >= BUFFER_BYTES:
                done += self._receive(target[done:])
            else:
                self._end = self._receive(self._buffer)
                self._start = 0

    def _receive(self, target: memoryview) -> int:
        count = self._socket.recv_into(target)
        if count == 0:
            raise ConnectionError("the server closed the connection")
        return count


def open_unix(path: Path | str, timeout_s: float = 30) -> ByteStream:
    """Connect to an RFB server's unix socket, also one that lies deeper than a socket address can say."""
    return ByteStream(_connect_unix(path, timeout_s))


def open_unix_websocket(path: Path | str, timeout_s: float = 30) -> WebSocketStream:
    """Upgrade to a websocket at a server's unix socket."""
    return _upgrade(_connect_unix(path, timeout_s), "/", "http://localhost", "localhost", {})


def _connect_unix(path: Path | str, timeout_s: float) -> socket.socket:
    folder = os.open(Path(path).parent, os.O_PATH | os.O_DIRECTORY)
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        connection.connect(f"/proc/self/fd/{folder}/{Path(path).name}")
    finally:
        os.close(folder)
    return connection


def open_tcp(host: str, port: int, timeout_s: float = 60) -> ByteStream:
    """Connect to an RFB server's port as soon as it listens."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=timeout_s)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return ByteStream(connection)


class WebSocketStream(ByteStream):
    """Payload in binary websocket frames (RFC 6455); pings are answered, a close frame ends the stream."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over ``connection``, on which the upgrade is already done."""
        super().__init__(connection)
        self._frame_left = 0
        self._mask = int.from_bytes(os.urandom(4), "big")

    def send(self, data: bytes) -> None:
        """Send ``data`` as one masked binary frame."""
        self._send_frame(2, data)

    def has_more(self, within_s: float) -> bool:
        """Whether payload comes within ``within_s``; a ping is answered and does not count."""
        while not self._frame_left:
            if not super().has_more(within_s):
                return False
            self._next_frame()
        return True

    def read_into(self, target: memoryview) -> None:
        """Fill ``target`` with payload, stepping over frame headers."""
        done = 0
        while done < len(target):
            if not self._frame_left:
                self._next_frame()
                continue
            piece = min(self._frame_left, len(target) - done)
            self._fill(target[done : done + piece])
            self._frame_left -= piece
            done += piece
        self.received_bytes += len(target)

    def _take(self, count: int) -> bytes:
        data = bytearray(count)
        self._fill(memoryview(data))
        return bytes(data)

    def _next_frame(self) -> None:
        """Read one frame's header; leave the payload of data frames on the wire."""
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        kind = first & 0x0F
        if kind in (0, 2):
            self._frame_left = length
            return
        payload = self._take(length)
        if kind == 9:
            self._send_frame(10, payload)
        elif kind == 8:
            raise ConnectionError(f"websocket closed: {payload[2:].decode(errors='replace') or payload!r}")

    def _send_frame(self, kind: int, data: bytes) -> None:
        self._mask = (self._mask * 1664525 + 1013904223) & 0xFFFFFFFF
        mask = self._mask.to_bytes(4, "big")
        repeated = (mask * (len(data) // 4 + 1))[: len(data)]
        masked = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
        size = len(data)
        header = bytes((0x80 | kind, 0x80 | size)) if size < 126 else struct.pack(">BBH", 0x80 | kind, 0xFE, size)
        self._socket.sendall(header + mask + masked.to_bytes(size, "big"))


def open_websocket(
    host: str,
    port: int,
    path: str,
    headers: dict[str, str] | None = None,
    timeout_s: float = 30,
    tls: ssl.SSLContext | None = None,
) -> WebSocketStream:
    """Upgrade ``path`` to a websocket with the ``binary`` subprotocol; ``headers`` carry the cookies."""
    connection = socket.create_connection((host, port), timeout=timeout_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is not None:
        connection = tls.wrap_socket(connection, server_hostname=host)
    place = f"{host}:{port}"
    return _upgrade(connection, path, f"{'https' if tls else 'http'}://{place}", place, headers or {})


def _upgrade(connection: socket.socket, path: str, origin: str, host: str, headers: dict[str, str]) -> WebSocketStream:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        f"Origin: {origin}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: binary",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        answer += byte
    if b" 101 " not in answer.split(b"\r\n", 1)[0]:
        connection.close()
        raise ConnectionError(f"no websocket at {path}: {answer[:200].decode(errors='replace')}")
    return WebSocketStream(connection)
