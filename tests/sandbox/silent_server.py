"""In place of `daas-session`: respond to the first requests, as many as the file `answers` says, and to no other."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nX-JupyterHub-Version: 5\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def main() -> None:
    answers = int(Path(__file__).with_name("answers").read_text())
    try:
        # in a container
        from daas_hub.session.mount_handshake import shake_hands

        shake_hands()
    except ImportError:
        pass
    listener = socket.socket(fileno=int(os.environ["DAAS_LISTEN_FD"]))
    listener.setblocking(True)
    held = []
    while True:
        connection, _ = listener.accept()
        if len(held) < answers:
            connection.recv(65536)
            connection.sendall(OK)
        held.append(connection)


if __name__ == "__main__":
    sys.exit(main())
