"""The process: a server that lives as long as the hub and forks, and a child for each launch that becomes the account.

The server receives nothing but the socket of a launch. Its child announces itself by a pidfd, so that the hub can kill
it when storage hangs; changes its ids; and answers one request at a time, each a line of JSON with descriptors.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import signal
import socket
import traceback
from typing import Any

from daas_hub.as_account.become import become
from daas_hub.as_account.create import make_directory
from daas_hub.as_account.mounts import attach_tree, clone_tree, detach_all, enter_mount_namespace
from daas_hub.as_account.walk import open_below, open_first
from daas_hub.as_account.wanted import CannotOpen, Wanted, cannot_open

#: Descriptors in one message: the kernel's limit is 253.
MAX_FDS = 200
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def main() -> None:
    """Fork for each socket that arrives at standard input, until the hub is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    # the hub alone ends it, by the end of this socket
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prctl = ctypes.CDLL(None).prctl
    # a child shares what it does not change
    gc.freeze()
    gc.disable()
    with socket.socket(fileno=0) as hub:
        while True:
            _, fds, _, _ = socket.recv_fds(hub, 1, 1)
            if not fds:
                return
            if os.fork() == 0:
                hub.detach()
                _run_child(fds[0], prctl)
            os.close(fds[0])


def _run_child(fd: int, prctl: Any) -> None:
    """Serve one launch; never return."""
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        with socket.socket(fileno=fd) as near, contextlib.suppress(OSError):  # the hub gave up
            channel = Channel(near)
            try:
                _serve(channel, prctl)
            except Exception:
                channel.send({"failed": traceback.format_exc()}, [])
    finally:
        os._exit(0)


class Channel:
    """Messages over a socket: each a line of JSON, with descriptors."""

    def __init__(self, near: socket.socket) -> None:
        self._near = near
        self._received = bytearray()
        self._fds: list[int] = []

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        """Return the next message and its descriptors.

        Raises:
            EOFError: the other side closed.
        """
        while b"\n" not in self._received:
            piece, fds, _, _ = socket.recv_fds(self._near, 65536, MAX_FDS)
            if not piece:
                raise EOFError
            # they may arrive with the end of the message before theirs
            self._fds += fds
            self._received += piece
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received[:] = rest
        message: dict[str, Any] = json.loads(line)
        count = message.pop("fds", 0)
        fds, self._fds = self._fds[:count], self._fds[count:]
        return message, fds

    def send(self, message: dict[str, Any], fds: list[int]) -> None:
        """Send a message."""
        text = json.dumps(message).encode() + b"\n"
        if fds:
            sent = socket.send_fds(self._near, [text], fds)
            text = text[sent:]
        self._near.sendall(text)


def _serve(channel: Channel, prctl: Any) -> None:
    pidfd = os.pidfd_open(os.getpid())
    channel.send({}, [pidfd])
    os.close(pidfd)
    account, _ = channel.receive()
    if account:
        become(account["uid"], account["gid"], account["groups"])
    # after the change of ids, which clears it
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # other programs of the account may not look into it, whatever fs.suid_dumpable says
    prctl(_PR_SET_DUMPABLE, 0)
    os.umask(0o022)
    with contextlib.suppress(EOFError):
        while True:
            request, fds = channel.receive()
            reply, opened = _answer(request, fds, for_account=bool(account))
            channel.send(reply, opened)
            for fd in [*fds, *opened]:
                os.close(fd)


def _answer(request: dict[str, Any], fds: list[int], *, for_account: bool) -> tuple[dict[str, Any], list[int]]:
    try:
        return _REQUESTS[request["do"]](request, fds, for_account)
    except CannotOpen as problem:
        return {"kind": problem.kind, "words": problem.words, "may_root": problem.may_root}, []
    except OSError as error:
        refusal = cannot_open(error, "cannot be written")
        return {"kind": refusal.kind, "words": refusal.words, "may_root": isinstance(error, PermissionError)}, []


def _open(request: dict[str, Any], _: list[int], for_account: bool) -> tuple[dict[str, Any], list[int]]:
    """Open a directory, or the first of its alternatives that is there."""
    wanted = [Wanted.from_json(one) for one in request["wanted"]]
    index, source, fd = open_first(wanted, for_account=for_account)
    status = os.fstat(fd)
    return {"index": index, "source": source, "identity": [status.st_dev, status.st_ino]}, [fd]


def _make(request: dict[str, Any], fds: list[int], _: bool) -> tuple[dict[str, Any], list[int]]:
    """Make directories in an open one; name the first name that something else has."""
    uid, gid = request["owner"]
    taken = (name for name in request["names"] if not make_directory(name, fds[0], (uid, gid)))
    return {"taken": next(taken, None)}, []


def _compare(request: dict[str, Any], fds: list[int], _: bool) -> tuple[dict[str, Any], list[int]]:
    """Return device and inode of each path below an open root; None for one that cannot be reached."""
    seen: list[list[int] | None] = []
    for path in request["paths"]:
        try:
            fd = open_below(fds[0], path)
        except OSError:
            seen.append(None)
            continue
        status = os.fstat(fd)
        os.close(fd)
        seen.append([status.st_dev, status.st_ino])
    return {"seen": seen}, []


def _describe(_: dict[str, Any], fds: list[int], __: bool) -> tuple[dict[str, Any], list[int]]:
    """Return device, inode and "is read-only" of each open directory."""
    seen = []
    for fd in fds:
        status = os.fstat(fd)
        seen.append([status.st_dev, status.st_ino, bool(os.fstatvfs(fd).f_flag & os.ST_RDONLY)])
    return {"seen": seen}, []


def _open_inside(request: dict[str, Any], fds: list[int], _: bool) -> tuple[dict[str, Any], list[int]]:
    """Open directories by their names in an open one."""
    opened: list[int] = []
    try:
        for path in request["paths"]:
            opened.append(open_below(fds[0], path))
    except OSError:
        for fd in opened:
            os.close(fd)
        raise
    return {}, opened


def _clone(request: dict[str, Any], fds: list[int], _: bool) -> tuple[dict[str, Any], list[int]]:
    """Return a copy of the mount of each open directory, read-only where it must be."""
    return {}, [clone_tree(fd, read_only=one) for fd, one in zip(fds, request["read_only"], strict=True)]


def _enter(_: dict[str, Any], fds: list[int], __: bool) -> tuple[dict[str, Any], list[int]]:
    """Enter a mount namespace, for all that follows."""
    enter_mount_namespace(fds[0])
    return {}, []


def _attach(request: dict[str, Any], fds: list[int], _: bool) -> tuple[dict[str, Any], list[int]]:
    """Mount a copy at a path of the hub's own, or on an open directory."""
    if len(fds) > 1:
        attach_tree(*fds)
        return {}, []
    target = os.open(request["path"], os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        attach_tree(fds[0], target)
    finally:
        os.close(target)
    return {}, []


def _detach(request: dict[str, Any], _: list[int], __: bool) -> tuple[dict[str, Any], list[int]]:
    """Unmount what is mounted at these paths."""
    detach_all(request["paths"])
    return {}, []


_REQUESTS = {
    "open": _open,
    "make": _make,
    "compare": _compare,
    "describe": _describe,
    "open_inside": _open_inside,
    "clone": _clone,
    "enter": _enter,
    "attach": _attach,
    "detach": _detach,
}
