"""The far end of a session's sockets, where the hub is on another machine than the session.

The hub starts this program beside the session and speaks SSH with it over its input and output: not for secrecy, which
the connection to the engine gives, but because SSH carries many connections in one, in both directions, each with its
own pace. It opens no network: what the hub may connect to is the session's own socket, and what is opened for the
session are the socket files the hub names, in two folders that are in memory.
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


class _FarEnd(asyncssh.SSHServer):
    """Carries connections of the named sockets, and nothing else."""

    def __init__(self, reached: str, folders: Sequence[str]) -> None:
        self._reached = reached
        self._folders = folders

    def begin_auth(self, username: str) -> bool:
        """Ask for nothing: whoever holds our input started us."""
        return False

    def unix_connection_requested(self, dest_path: str) -> bool:
        """Allow connections to the session's socket."""
        return dest_path == self._reached

    def unix_server_requested(self, listen_path: str) -> bool:
        """Allow sockets in the folders of the ways out, in the place of what else may stand there by mistake."""
        if os.path.dirname(listen_path) not in self._folders:
            return False
        with contextlib.suppress(OSError):
            os.unlink(listen_path)
        return True


async def serve(reached: str, folders: Sequence[str]) -> None:
    """Serve the hub over standard input and output, until it goes."""
    near, far = socket.socketpair()
    key = asyncssh.generate_private_key("ssh-ed25519")
    # input and output may be pipes or files: threads bear both
    threading.Thread(target=_take, args=(far,), daemon=True).start()
    giving = threading.Thread(target=_give, args=(far,), daemon=True)
    giving.start()
    connection = await asyncssh.run_server(
        near,
        config=None,
        server_factory=lambda: _FarEnd(reached, folders),
        server_host_keys=[key],
        compression_algs=None,
        agent_forwarding=False,
        allow_scp=False,
        login_timeout=30,
    )
    await connection.wait_closed()
    giving.join(1)


def _take(far: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := os.read(0, 65536):
            far.sendall(piece)
        # the hub is gone: nothing more will be asked
        far.shutdown(socket.SHUT_WR)


def _give(far: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := far.recv(65536):
            view = memoryview(piece)
            while view:
                view = view[os.write(1, view) :]


def main() -> None:
    """Run `python -m daas_hub.session.tunnel_end SOCKET FOLDER...`."""
    reached, *folders = sys.argv[1:]
    os.umask(0o077)
    asyncio.run(serve(reached, folders))


if __name__ == "__main__":
    main()
