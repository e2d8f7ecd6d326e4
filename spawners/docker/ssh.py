"""An engine over ssh: its socket forwarded to a socket file of this machine.

With it everything else speaks to that engine as to a local one. Keys and jump hosts are those of the hub's user, in its
~/.ssh. A host must be in its known_hosts, or in the machine's; no configuration turns this check off. The ssh of
aiodocker is not used: it needs a shell and Docker's client there, and offers the server the hub's whole environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
import weakref
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncssh

CONNECT_TIMEOUT_S = 15.0
#: Seconds after which silence means that the other side is gone.
KEEPALIVE_S = 15
ENGINE_SOCKET = "/var/run/docker.sock"
#: Known hosts: the user's, and the machine's.
KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")

_log = logging.getLogger("jupyterhub.daas")


class SshConnection:
    """A connection to `ssh://user@host:port`, followed by the path of the engine's socket if it is another."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        directory = tempfile.mkdtemp(prefix="daas-engine-")
        weakref.finalize(self, shutil.rmtree, directory, True)
        self.path = Path(directory) / "engine.sock"
        self._connection: asyncssh.SSHClientConnection | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Open the connection; return at once if it is open.

        Raises:
            OSError: it cannot be opened; the log says why.
        """
        async with self._opening:
            if self._connection is not None and not self._connection.is_closed():
                return
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
            try:
                await self._open()
            except (OSError, asyncssh.Error, TimeoutError) as problem:
                _log.error("no ssh to the engine at %s: %s", self._url.netloc, problem or "no answer")
                raise ConnectionError(f"no ssh to {self._url.hostname}") from problem

    async def _open(self) -> None:
        user = {"username": self._url.username} if self._url.username else {}
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            connection = await asyncssh.connect(
                self._url.hostname or "",
                self._url.port or (),
                # set here, because "UserKnownHostsFile none" would turn the check off
                known_hosts=_known_hosts(),
                keepalive_interval=KEEPALIVE_S,
                **user,
            )
            try:
                remote_path = unquote(self._url.path).rstrip("/") or ENGINE_SOCKET
                await connection.forward_local_path(str(self.path), remote_path)
            except BaseException:
                connection.abort()
                raise
        self.path.chmod(0o600)
        self._connection = connection

    def close(self) -> None:
        """Close it."""
        if self._connection is not None:
            self._connection.abort()


def _known_hosts() -> list[str] | bytes:
    """Return the files of known hosts; b"" for none, which trusts nobody."""
    return [str(file) for name in KNOWN_HOSTS if (file := Path(name).expanduser()).is_file()] or b""
