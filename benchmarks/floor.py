"""The floor under any desktop in a browser: bubblewrap, Xvnc, the window manager and the application, no hub at all."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .processes import descendants, end_all, find_xvnc

HERE = Path(__file__).resolve().parent


class Floor:
    """One bare sandboxed desktop; leaving the context ends all of it."""

    def __init__(self, state: Path, application: str, *, server: bool = False) -> None:
        """Keep the desktop's socket and home below ``state``; ``application`` is a command.

        Args:
            server: whether the least server that a browser can connect to runs beside the X server.
        """
        self._state = Path(tempfile.mkdtemp(prefix="floor-", dir=state))
        self._application = application
        self.socket = self._state / "rfb"
        self._server = sys.executable if server else ""
        self._sandbox: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Floor:
        """Start the sandbox; returns at once, before the display answers."""
        self._sandbox = subprocess.Popen(
            [
                *("bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev"),
                *("--proc", "/proc", "--tmpfs", "/tmp", "--bind", str(self._state), str(self._state)),
                # a checkout may be below /tmp
                *("--ro-bind", str(HERE), str(HERE)),
                *("--chdir", str(self._state), str(HERE / "floor.sh"), str(self.socket)),
            ],
            env={
                **os.environ,
                "HOME": str(self._state),
                "BENCH_APPLICATION": self._application,
                "BENCH_SERVER": self._server,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End the sandbox and everything in it."""
        if self._sandbox:
            end_all([*descendants(self._sandbox.pid)])
            self._sandbox.kill()
            self._sandbox.wait()

    @property
    def web_socket(self) -> Path:
        """Where the server listens."""
        return self.socket.with_name("rfb.web")

    @property
    def xvnc(self) -> int | None:
        """The process of the display server, when it runs."""
        found = find_xvnc(self._sandbox.pid) if self._sandbox else None
        return found.pid if found else None
