"""The hub's side: the server that forks, which is started with the first launch, and one process for each launch."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daas_hub.as_account.serve import MAX_FDS

#: The package without its `__init__`, which imports the whole portal: a small process forks in a millisecond.
_BOOT = """\
import sys, types
package = types.ModuleType("daas_hub")
package.__path__ = [sys.argv[1]]
sys.modules["daas_hub"] = package
from daas_hub.as_account.serve import main
main()
"""
#: Seconds for a process to be forked and to change its ids; storage has no part in it.
START_TIMEOUT_S = 10.0


class ForkServer:
    """The process that forks. It keeps root's rights, reads nothing but descriptors, and ends with the hub."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    async def hand_over(self, far: socket.socket) -> None:
        """Pass this socket to a new process, which serves it.

        Raises:
            OSError: it cannot be started.
        """
        for is_last in (False, True):
            control = self._control or self._start()
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    while True:
                        try:
                            socket.send_fds(control, [b"."], [far.fileno()])
                            return
                        except BlockingIOError:  # many launches at once
                            await asyncio.sleep(0.005)
            except (BrokenPipeError, ConnectionError):
                # it was killed: start another one
                self.stop()
                if is_last:
                    raise

    def _start(self) -> socket.socket:
        near, far = socket.socketpair()
        near.setblocking(False)
        with far:
            # a process that storage holds must not hold what reads the hub's output
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, str(Path(__file__).parents[1])],
                stdin=far.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={}, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        self._control = near
        return near

    def stop(self) -> None:
        """End it; processes it forked end with their sockets."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


_server = ForkServer()
atexit.register(_server.stop)


class AccountProcess:
    """One process that acts as an account, or as the hub itself. Its opener closes it.

    Args:
        ids: uid, gid and groups of the account; None for the hub's own.
    """

    def __init__(self, ids: tuple[int, int, Sequence[int]] | None) -> None:
        self._ids = ids
        self._near: socket.socket | None = None
        self._pidfd = -1
        self._received = bytearray()

    async def ask(
        self, message: dict[str, Any], fds: Sequence[int], timeout_s: float
    ) -> tuple[dict[str, Any], list[int]]:
        """Return the answer to a message, and the descriptors that came with it.

        Raises:
            TimeoutError: there was none in time. The process is killed, and the next call starts another one.
            OSError: the process could not be started, or ended.
        """
        try:
            if self._near is None:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await self._open()
            async with asyncio.timeout(timeout_s):
                await self._send(message, fds)
                return await self._receive()
        except BaseException:
            self.kill()
            raise

    @property
    def is_killed(self) -> bool:
        """Whether it was killed, and may not have ended yet."""
        return self._near is None and self._pidfd >= 0

    def take_pidfd(self) -> int:
        """Return the descriptor that becomes readable when the process has ended; -1 if it never began."""
        pidfd, self._pidfd = self._pidfd, -1
        return pidfd

    def kill(self) -> None:
        """Kill it, wherever it waits; in some places a file system does not let go of it before its server answers."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        if self._near is not None:
            self._near.close()
            self._near = None

    def close(self) -> None:
        """End it."""
        self.kill()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    async def _open(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self._received.clear()
        near, far = socket.socketpair()
        near.setblocking(False)
        self._near = near
        with far:
            await _server.hand_over(far)
        account = {} if self._ids is None else dict(zip(("uid", "gid", "groups"), self._ids, strict=True))
        # in the socket already when the process is there
        await self._send(account, ())
        _, (self._pidfd,) = await self._receive()

    async def _send(self, message: dict[str, Any], fds: Sequence[int]) -> None:
        assert self._near is not None
        text = json.dumps(message | {"fds": len(fds)} if fds else message).encode() + b"\n"
        if fds:
            # the descriptors go with the first bytes, for which an idle socket has room
            text = text[socket.send_fds(self._near, [text], fds) :]
        await asyncio.get_running_loop().sock_sendall(self._near, text)

    async def _receive(self) -> tuple[dict[str, Any], list[int]]:
        assert self._near is not None
        fds: list[int] = []
        try:
            while b"\n" not in self._received:
                await _readable(self._near)
                piece, more, _, _ = socket.recv_fds(self._near, 65536, MAX_FDS)
                fds += more
                if not piece:
                    raise ConnectionResetError("the process that opens directories ended")
                self._received += piece
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise
        for fd in fds:
            os.set_inheritable(fd, False)
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received[:] = rest
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise PermissionError(answer["failed"])
        return answer, fds


def has_ended(pidfd: int) -> bool:
    """Return whether the process of a pidfd has ended."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


async def _readable(near: socket.socket) -> None:
    """Wait until there is something to read: asyncio has no call that receives descriptors."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def is_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(near, is_ready)
    try:
        await ready
    finally:
        loop.remove_reader(near)
