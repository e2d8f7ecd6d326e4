"""The server of a session is closed to the other programs of its account.

They run with the same uid: without this they could trace the server, write to its memory, read its token, or take its
listening socket, and then serve the session's pages to its owner themselves.
"""

from __future__ import annotations

import ctypes
import os

_PR_SET_DUMPABLE = 4


def protect_server(listen_fd: int | None = None) -> None:
    """Close this process to others of its uid, before it starts any of them.

    A process that is not dumpable can be traced by nobody without CAP_SYS_PTRACE, and its files in /proc (`mem`, `fd`,
    `environ`) belong to root. A program that it executes is dumpable again.

    Args:
        listen_fd: the listening socket, which no program of the session may inherit.

    Raises:
        OSError: the kernel refuses, or there is no such descriptor.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot protect the session's server: {os.strerror(number)}")
    if listen_fd is not None:
        os.set_inheritable(listen_fd, False)
