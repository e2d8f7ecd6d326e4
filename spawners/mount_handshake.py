"""The hub's side of the mount handshake: it compares a container's mounts with the granted ones, then starts it.

The session's side is `daas_hub.session.mount_handshake`. The directories arrive as open descriptors, so the comparison
is with what the session really has: the same device and inode as the directory that was opened and granted, and a mount
that is read-only where it must be, whatever the engine reports.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.guest_layout import places
from daas_hub.storage import AccountStorage, Pinned

#: Timeout in seconds for the whole handshake.
TIMEOUT_S = 15.0


@dataclass(frozen=True)
class GrantedDirectory:
    """One directory as it must appear in the session.

    Attributes:
        name: its name for the user ("data"); `path` is its absolute path inside.
        device: None where another machine mounts the storage, and numbers it differently.
    """

    name: str
    path: str
    writable: bool
    device: int | None
    inode: int | None


@dataclass(frozen=True)
class SeenDirectory:
    """One directory as a session has it."""

    device: int
    inode: int
    read_only: bool


def granted_directories(plan: Plan, pinned: Sequence[Pinned]) -> list[GrantedDirectory]:
    """Return the opened directories of a plan as they must appear in the session."""
    identities = {one.mount: one.identity for one in pinned}
    return [
        GrantedDirectory(
            "home" if mount.target == "." else mount.target,
            path,
            mount.writable,
            *identities[mount],
        )
        for mount, path in places(plan.opened(identities))
    ]


class HandshakeSocket:
    """The socket to which one session connects. Its creator closes it."""

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        path.unlink(missing_ok=True)
        self._socket.bind(os.fspath(path))
        # any uid may connect: the directory is mounted in this one session, and closed to everybody else
        path.chmod(0o666)
        self._socket.listen(1)

    def close(self) -> None:
        """Stop accepting connections."""
        self._socket.close()

    async def admit(
        self,
        granted: Sequence[GrantedDirectory],
        environment: dict[str, str],
        listener: socket.socket,
        storage: AccountStorage | None = None,
    ) -> None:
        """Wait for the session, compare its mounts, and hand over its environment and its listening socket.

        Args:
            storage: the storage as the account sees it; None for the hub's own.

        Raises:
            StorageProblem: a directory is not what was granted; nothing of the session has run.
            SessionFailed: it closed the connection, or timed out.
        """
        loop = asyncio.get_running_loop()
        session, _ = await loop.sock_accept(self._socket)
        with session:
            session.setblocking(False)
            try:
                async with asyncio.timeout(self._timeout_s):
                    paths = json.dumps([one.path for one in granted])
                    await loop.sock_sendall(session, f"{paths}\n".encode())
                    await _readable(session)
                    _, fds, _, _ = socket.recv_fds(session, 1, len(granted) + 1)
                    try:
                        require_granted(granted, await _described(fds, granted, storage))
                    finally:
                        for fd in fds:
                            os.close(fd)
                    socket.send_fds(session, [b"+"], [listener.fileno()])
                    await loop.sock_sendall(session, f"{json.dumps(environment)}\n".encode())
            except (OSError, TimeoutError) as problem:
                raise SessionFailed(
                    "The session ended before it was ready.",
                    remedy="Please tell the administrators; the hub's log says more.",
                ) from problem


async def _described(
    fds: Sequence[int], granted: Sequence[GrantedDirectory], storage: AccountStorage | None
) -> list[SeenDirectory]:
    """Return the records of open directories, without waiting for storage in the hub's own process."""
    if not fds:
        return []
    if storage is None:
        async with AccountStorage() as own:
            return await _described(fds, granted, own)
    name = next((one.name for one in granted), "home")
    mount = Mount(PurePosixPath("/"), PurePosixPath("/"), "." if name == "home" else name)
    return [SeenDirectory(*one) for one in await storage.describe(fds, mount)]


def require_granted(granted: Sequence[GrantedDirectory], seen: Sequence[SeenDirectory]) -> None:
    """Compare what a session sees with what was granted.

    Raises:
        StorageProblem: a directory is missing, is another one, or is writable although it must be read-only.
    """
    for index, one in enumerate(granted):
        found = seen[index] if index < len(seen) else None
        if (
            found is None
            or found.read_only is one.writable
            or one.device not in (None, found.device)
            or one.inode not in (None, found.inode)
        ):
            raise StorageProblem(
                f"The directory {one.name!r} is not what was granted to your session.",
                remedy="No data were exposed. Please launch again; if this persists, tell the administrators.",
            )


async def _readable(connection: socket.socket) -> None:
    """Wait until there is something to read: asyncio has no call that receives descriptors."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def is_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(connection, is_ready)
    with contextlib.ExitStack() as undo:
        undo.callback(loop.remove_reader, connection)
        await ready
