"""The session's end of the tunnel, where the hub runs on another machine than the session.

The hub starts this program in the session's container and speaks SSH over its standard input and output: not for
secrecy, which the connection to the engine provides, but because SSH multiplexes connections in both directions, each
with its own flow control. It uses no network: the hub can connect to the session's own socket, and can open socket
files for the session in two folders in memory.

It runs as nobody, to whom these folders belong: the session's programs can neither replace a socket in them nor trace
this program, through which all pages of the session pass. So it also makes the session's own socket, and hands it over
to the session's server before that starts anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Sequence

import asyncssh

from daas_hub.session.hardening import protect_server
from daas_hub.session.mount_handshake import OFFER


class _TunnelServer(asyncssh.SSHServer):
    """Forwards connections of the named sockets, and nothing else."""

    def __init__(self, session_socket: str, folders: Sequence[str]) -> None:
        self._session_socket = session_socket
        self._folders = folders

    def begin_auth(self, username: str) -> bool:
        """Require no authentication: only the hub that started this program holds its input."""
        return False

    def unix_connection_requested(self, dest_path: str) -> bool:
        """Allow connections to the session's socket."""
        return dest_path == self._session_socket

    def unix_server_requested(self, listen_path: str) -> bool:
        """Allow sockets in these folders, and remove a stale file of the same name."""
        if os.path.dirname(listen_path) not in self._folders:
            return False
        with contextlib.suppress(OSError):
            os.unlink(listen_path)
        return True


def offer_listener(session_socket: str) -> None:
    """Make the session's listening socket, unless an earlier tunnel did, and hand it over to the first that asks.

    That is the session's server, at the end of its handshake (`mount_handshake`).
    """
    if os.path.lexists(session_socket):
        return
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(session_socket)
    listener.listen(256)
    offer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    offer.bind(session_socket + OFFER)
    # for the session's account; nothing else of it runs yet
    os.chmod(session_socket + OFFER, 0o666)  # noqa: S103
    offer.listen(1)
    threading.Thread(target=_hand_over, args=(offer, listener), daemon=True).start()


def _hand_over(offer: socket.socket, listener: socket.socket) -> None:
    with offer, listener, contextlib.suppress(OSError):
        server, _ = offer.accept()
        with server:
            os.unlink(offer.getsockname())
            socket.send_fds(server, [b"+"], [listener.fileno()])


async def serve(session_socket: str, folders: Sequence[str]) -> None:
    """Serve the hub over standard input and output, until it disconnects."""
    ssh_side, stdio_side = socket.socketpair()
    key = asyncssh.generate_private_key("ssh-ed25519")
    # standard input and output may be pipes or files: threads can copy both
    threading.Thread(target=_copy_input, args=(stdio_side,), daemon=True).start()
    output = threading.Thread(target=_copy_output, args=(stdio_side,), daemon=True)
    output.start()
    connection = await asyncssh.run_server(
        ssh_side,
        config=None,
        server_factory=lambda: _TunnelServer(session_socket, folders),
        server_host_keys=[key],
        compression_algs=None,
        agent_forwarding=False,
        allow_scp=False,
        login_timeout=30,
    )
    await connection.wait_closed()
    output.join(1)


def _copy_input(stdio_side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := os.read(0, 65536):
            stdio_side.sendall(piece)
        # the hub has disconnected
        stdio_side.shutdown(socket.SHUT_WR)


def _copy_output(stdio_side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := stdio_side.recv(65536):
            view = memoryview(piece)
            while view:
                view = view[os.write(1, view) :]


def main() -> None:
    """Run `python -m daas_hub.session.tunnel_end SOCKET FOLDER...`."""
    session_socket, *folders = sys.argv[1:]
    protect_server()
    os.umask(0o077)
    offer_listener(session_socket)
    # the session's programs connect to the others
    os.umask(0)
    asyncio.run(serve(session_socket, folders))


if __name__ == "__main__":
    main()
