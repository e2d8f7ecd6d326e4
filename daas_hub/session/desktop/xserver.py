"""The X server of a desktop: a screen on a socket file, started before anything slow is imported.

Nothing listens on the network, and X clients need the cookie of this desktop. This module imports little, because its
imports delay the start.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

START_GEOMETRY = "1280x800"
#: The largest text that a browser may put on the clipboard; X's own default is 256 KB (see clipboard.mjs).
MAX_CLIPBOARD_BYTES = 16 * 2**20


@dataclass(frozen=True)
class XServer:
    """An X server that was started; `read_display` waits until it is ready.

    Attributes:
        screen: the socket file of the remote framebuffer protocol.
        xauthority: the file with the cookie that X clients need.
        number_fd: the descriptor to which X writes its display number.
    """

    process: subprocess.Popen[bytes]
    screen: Path
    xauthority: Path
    number_fd: int

    def read_display(self) -> str:
        """Wait until X accepts connections, and return its display name, for instance ":1"; close the descriptor.

        Raises:
            ValueError: it has ended instead.
        """
        number = b""
        try:
            while not number.endswith(b"\n"):
                piece = os.read(self.number_fd, 16)
                if not piece:
                    raise ValueError("the X server ended")
                number += piece
        finally:
            os.close(self.number_fd)
        return f":{int(number)}"


def start_x(folder: Path, title: str) -> XServer:
    """Start an X server with its files in `folder`, which is made private; do not wait for it.

    Raises:
        OSError: it is not installed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    screen, xauthority = folder / "screen", folder / "Xauthority"
    _write_cookie(xauthority)
    number_read, number_write = os.pipe()
    try:
        process = subprocess.Popen(
            x_argv(screen, xauthority, number_write, title),
            stdin=subprocess.DEVNULL,
            pass_fds=(number_write,),
            env=environment_of_programs(),
            start_new_session=True,
        )
    except OSError:
        os.close(number_read)
        raise
    finally:
        os.close(number_write)
    return XServer(process, screen, xauthority, number_read)


def environment_of_programs() -> dict[str, str]:
    """Return the environment of what a desktop starts: the session's, without its token, which others could read."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTERHUB_", "JPY_", "DAAS_"))}


def x_argv(screen: Path, xauthority: Path, number_fd: int, title: str) -> list[str]:
    """Return the X server's arguments: a screen on a socket file, and no port."""
    return [
        "Xvnc", "-displayfd", str(number_fd), "-auth", str(xauthority), "-nolisten", "tcp",
        "-rfbunixpath", str(screen), "-rfbunixmode", "0600", "-rfbport", "-1", "-SecurityTypes", "None",
        "-AlwaysShared", "-geometry", START_GEOMETRY, "-depth", "24", "-FrameRate", "60",
        "-MaxCutText", str(MAX_CLIPBOARD_BYTES),
        "-desktop", "".join(letter for letter in title if letter.isprintable())[:60], "-Log", "*:stderr:0",
    ]  # fmt: skip


def _write_cookie(path: Path) -> None:
    """Write an X authority file with one fresh cookie for any display (format: Xau's Xauth.h)."""
    fields = [b"", b"", b"MIT-MAGIC-COOKIE-1", os.urandom(16)]
    entry = b"\xff\xff" + b"".join(len(field).to_bytes(2, "big") + field for field in fields)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(entry)
