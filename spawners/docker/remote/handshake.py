"""The hub's side of a remote session's handshake: over the program's own input and output.

The session's side is `daas_hub.session.mount_handshake`; descriptors, which a local session sends, end at its machine.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from typing import Protocol

from daas_hub.errors import SessionFailed
from daas_hub.spawners.mount_handshake import TIMEOUT_S, GrantedDirectory, SeenDirectory, require_granted

_MAX_BYTES = 65536

_log = logging.getLogger("jupyterhub.daas")


class Pipe(Protocol):
    """What is needed of a program's input and output (see `ProgramStream`)."""

    socket: socket.socket
    stderr: str


async def admit(stream: Pipe, granted: Sequence[GrantedDirectory], environment: Mapping[str, str]) -> None:
    """Compare the directories a session reports with those granted, and hand over its environment.

    The numbers are reported by the image's own program, before anything of the user runs.

    Raises:
        StorageProblem: a directory is not what was granted; nothing of the session has run.
        SessionFailed: it did not answer, or with something else.
    """
    loop = asyncio.get_running_loop()
    received = bytearray()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await loop.sock_sendall(stream.socket, _line([one.path for one in granted]))
            reported = json.loads(await _read_line(stream.socket, received))
            require_granted(granted, [SeenDirectory(int(one[0]), int(one[1]), one[2] is True) for one in reported])
            await loop.sock_sendall(stream.socket, _line(dict(environment)))
            if json.loads(await _read_line(stream.socket, received)) != "in":
                raise ValueError("it did not confirm its environment")
    except (OSError, EOFError, ValueError, TypeError, IndexError, TimeoutError) as problem:
        _log.error(
            "the handshake with a session failed: %s; it said: %s", problem or type(problem).__name__, stream.stderr
        )
        raise SessionFailed(
            "The session ended before it was ready.",
            remedy="Please tell the administrators; the hub's log says more.",
        ) from problem


def _line(document: object) -> bytes:
    return f"{json.dumps(document)}\n".encode()


async def _read_line(near: socket.socket, received: bytearray) -> bytes:
    """Return the next line; what was read beyond it stays in `received`."""
    loop = asyncio.get_running_loop()
    while b"\n" not in received:
        piece = await loop.sock_recv(near, 65536)
        if not piece or len(received) > _MAX_BYTES:
            raise EOFError
        received += piece
    line, _, rest = bytes(received).partition(b"\n")
    received[:] = rest
    return line
