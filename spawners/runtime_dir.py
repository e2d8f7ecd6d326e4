"""A running session's files on the hub's machine: its socket and its generated files, which it cannot change."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import stat
from pathlib import Path

from daas_hub.errors import ConfigurationError
from daas_hub.policy.time_zone import zone_data

#: The kernel's limit for a socket's path, with the ":80" that the proxy adds.
MAX_SOCKET_PATH = 107


def session_key(user: str, server: str) -> str:
    """Return a session's name on this machine: 80 bits of a hash of user and server, which cannot contain NUL."""
    return hashlib.sha256(f"{user}\0{server}".encode()).hexdigest()[:20]


def own_directory(path: Path) -> Path:
    """Create a directory, or return an existing one of ours: another user's below /tmp would expose every session.

    Raises:
        ConfigurationError: it belongs to another user, or is a symbolic link.
    """
    with contextlib.suppress(FileExistsError):  # reported below
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    status = path.lstat()
    if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o022:
        raise ConfigurationError(
            "SandboxSpawner.runtime_dir",
            str(path),
            "belongs to another user, or is writable by others",
            remedy="Choose a directory that only the hub's user can write to.",
        )
    return path


def open_listener(path: Path) -> socket.socket:
    """Return a listening socket that only the hub's user can connect to; the session inherits it.

    So the session never names a path that the hub or the proxy would follow, and a connection that comes before the
    session is ready waits instead of failing.
    """
    if len(os.fsencode(path)) + 3 > MAX_SOCKET_PATH:
        raise ValueError(f"{path} is too long for a socket: choose a shorter SandboxSpawner.runtime_dir")
    with contextlib.ExitStack() as undo:
        listener = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        # the hub stores a server's address with a port, and the proxy takes "path:80" for the path
        path.with_name(path.name + ":80").symlink_to(path.name)
        listener.listen(256)
        listener.set_inheritable(True)
        undo.pop_all()
    return listener


def bind_session_socket(path: Path, owner: int | None) -> socket.socket:
    """Return a socket that is bound to a path which is mounted in a session, and does not listen yet.

    Args:
        owner: the only uid that may connect, besides root; None for any, where the folder is closed to everybody else.
            A socket that replaces another has its owner and mode.
    """
    mode = 0o666 if owner is None else 0o600
    with contextlib.suppress(FileNotFoundError):
        replaced = path.lstat()
        owner, mode = replaced.st_uid, stat.S_IMODE(replaced.st_mode)
        path.unlink()
    with contextlib.ExitStack() as undo:
        listener = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        listener.bind(os.fspath(path))
        if owner is not None and owner != os.geteuid():
            os.chown(path, owner, -1)
        path.chmod(mode)
        undo.pop_all()
    return listener


def write_identity_files(folder: Path, texts: dict[str, str], timezone: str = "UTC") -> None:
    """Write the identity files (passwd, group, ...) and `localtime`, readable by the session."""
    folder.mkdir()
    folder.chmod(0o755)  # whatever the hub's umask is
    contents = {name: text.encode() for name, text in texts.items()} | {"localtime": zone_data(timezone)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)


def mounted(mountinfo: str) -> dict[str, list[str]]:
    """Return the options of each mount point in the text of a /proc/<pid>/mountinfo, which has blanks in octal."""
    found = {}
    for line in mountinfo.splitlines():
        fields = line.split()
        place = re.sub(r"\\([0-7]{3})", lambda digits: chr(int(digits[1], 8)), fields[4])
        found[place] = fields[5].split(",")
    return found


def open_pipe(known: set[int]) -> tuple[int, int]:
    """Return the two ends of a new pipe, and add them to `known`."""
    ends = os.pipe()
    known.update(ends)
    return ends


def close_all(known: set[int], *fds: int) -> None:
    """Close these descriptors if they are in `known`, and remove them from it."""
    for fd in fds:
        if fd in known:
            os.close(fd)
            known.discard(fd)
