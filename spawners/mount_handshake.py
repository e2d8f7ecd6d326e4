"""The hub's side of a container's arrival: what was mounted is compared with what was granted, then it is let in.

The session's side is `daas_hub.session.mount_handshake`. The directories come as open descriptors, so the comparison is
with what the session really has: the same device and inode as the directory that was opened and granted, and a mount
that cannot be written, whatever the engine says it did.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.launch import Plan
from daas_hub.spawners.guest_layout import target_of
from daas_hub.storage import Pinned

#: Seconds from a session's first word to its last.
TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Granted:
    """One directory as it must appear in the session.

    Attributes:
        name: what the user calls it ("data"); `path` is where it is inside.
        device: None where the storage is another machine's mount, which numbers it differently.
    """

    name: str
    path: str
    writable: bool
    device: int | None
    inode: int | None


@dataclass(frozen=True)
class Shown:
    """One directory as a session has it."""

    device: int
    inode: int
    read_only: bool

    @classmethod
    def of(cls, fd: int) -> Shown:
        """Look at an open directory."""
        status = os.fstat(fd)
        return cls(status.st_dev, status.st_ino, bool(os.fstatvfs(fd).f_flag & os.ST_RDONLY))


def granted_of(plan: Plan, pinned: Sequence[Pinned]) -> list[Granted]:
    """Return the directories of a plan, which are open, as they must appear in the session."""
    return [
        Granted(
            "home" if one.mount.target == "." else one.mount.target,
            target_of(plan, one.mount.target),
            one.mount.writable,
            one.identity[0],
            one.identity[1],
        )
        for one in pinned
    ]


class Gate:
    """The socket at which one session arrives. Whoever opens it closes it."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        path.unlink(missing_ok=True)
        self._socket.bind(os.fspath(path))
        # whatever number the account has; the folder is in this one session, and closed to everybody else
        path.chmod(0o666)
        self._socket.listen(1)

    def close(self) -> None:
        """Let nobody in any more."""
        self._socket.close()

    async def let_in(self, granted: Sequence[Granted], environment: dict[str, str], listener: socket.socket) -> None:
        """Wait for the session, compare, and hand over its environment and its listening socket.

        Raises:
            StorageProblem: a directory is not what was granted; nothing of the session has run.
            SessionFailed: it did not come, or went away.
        """
        loop = asyncio.get_running_loop()
        guest, _ = await loop.sock_accept(self._socket)
        with guest:
            guest.setblocking(False)
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    paths = json.dumps([one.path for one in granted])
                    await loop.sock_sendall(guest, f"{paths}\n".encode())
                    await _readable(guest)
                    _, shown, _, _ = socket.recv_fds(guest, 1, len(granted) + 1)
                    try:
                        require_granted(granted, [Shown.of(fd) for fd in shown])
                    finally:
                        for fd in shown:
                            os.close(fd)
                    socket.send_fds(guest, [b"+"], [listener.fileno()])
                    await loop.sock_sendall(guest, f"{json.dumps(environment)}\n".encode())
            except (OSError, TimeoutError) as problem:
                raise SessionFailed(
                    "The session ended before it was ready.",
                    remedy="Please tell the administrators; the hub's log says more.",
                ) from problem


def require_granted(granted: Sequence[Granted], shown: Sequence[Shown]) -> None:
    """Compare what a session shows with what was granted.

    Raises:
        StorageProblem: a directory is missing, is another one, or can be written though it must not.
    """
    for index, one in enumerate(granted):
        found = shown[index] if index < len(shown) else None
        if (
            found is None
            or found.read_only is one.writable
            or one.device not in (None, found.device)
            or one.inode not in (None, found.inode)
        ):
            raise StorageProblem(
                f"The directory {one.name!r} is not what was granted to your session.",
                remedy="Nothing was shown to anybody. Please launch again; if it stays, tell the administrators.",
            )


async def _readable(guest: socket.socket) -> None:
    """Wait until there is something to read: the event loop has no call for descriptors that are passed on."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def is_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(guest, is_ready)
    with contextlib.ExitStack() as undo:
        undo.callback(loop.remove_reader, guest)
        await ready
