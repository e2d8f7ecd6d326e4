"""The way to an engine over ssh: a socket file here that stands for the engine's there.

With it everything else speaks to that engine as to one of this machine. Keys and jump hosts are what ~/.ssh of the
hub's user says. A host must be in its known_hosts, or in the machine's; nothing in a configuration can do without.
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
#: Files that vouch for hosts: the user's, and the machine's.
KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")

_log = logging.getLogger("jupyterhub.daas")


class SshConnection:
    """A connection to `ssh://user@host:port`; behind it may stand the path of the engine's socket, if it is another."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        folder = tempfile.mkdtemp(prefix="daas-engine-")
        weakref.finalize(self, shutil.rmtree, folder, True)
        self.path = Path(folder) / "engine.sock"
        self._connection: asyncssh.SSHClientConnection | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Have a connection; return at once if there is one.

        Raises:
            OSError: there is none to be had; the log says why.
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
        named = {"username": self._url.username} if self._url.username else {}
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            connection = await asyncssh.connect(
                self._url.hostname or "",
                self._url.port or (),
                # named here, because "UserKnownHostsFile none" would turn the check off
                known_hosts=_known_hosts(),
                keepalive_interval=KEEPALIVE_S,
                **named,
            )
            try:
                there = unquote(self._url.path).rstrip("/") or ENGINE_SOCKET
                await connection.forward_local_path(str(self.path), there)
            except BaseException:
                connection.abort()
                raise
        self.path.chmod(0o600)
        self._connection = connection

    def close(self) -> None:
        """End it."""
        if self._connection is not None:
            self._connection.abort()


def _known_hosts() -> list[str] | bytes:
    """Return the files that vouch for hosts; b"" for none, which vouches for nobody."""
    return [str(file) for name in KNOWN_HOSTS if (file := Path(name).expanduser()).is_file()] or b""
