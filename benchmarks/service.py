"""A hub that a benchmark starts for itself on loopback, waits for, and ends with everything it started."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .processes import descendants, end_all


@contextmanager
def state_folder() -> Iterator[Path]:
    """A folder for hubs' state that every account may enter; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="daas-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def free_ports(count: int) -> list[int]:
    """``count`` ports in a row on which nobody listens now."""
    for first in range(20000 + os.getpid() % 5000, 32000, count):
        ports = list(range(first, first + count))
        if all(_is_free(port) for port in ports):
            return ports
    raise RuntimeError("no free ports between 20000 and 32000")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            # at every address: a web server may listen at another one
            probe.bind(("", port))
        except OSError:
            return False
    return True


class Service:
    """One server process whose output goes to ``<state>/<name>.log``."""

    name = "service"

    def __init__(self, state: Path) -> None:
        """Keep everything this service writes below ``state``."""
        self.state = state
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process of the server."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    @property
    def below(self) -> int:
        """The process below which its sessions run."""
        return self.pid

    @property
    def log(self) -> Path:
        """Where the server's output goes."""
        return self.state / f"{self.name}.log"

    def run(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """Start ``command`` in ``folder`` with ``environment`` on top of ours."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, url: str, timeout_s: float = 120) -> None:
        """Wait until ``url`` answers without an error."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except OSError:
                pass  # also an error page: the proxy answers 404 until the hub has joined it
            if (self._process and self._process.poll() is not None) or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not answer at {url}; last output:\n{self.last_output()}")
            time.sleep(0.1)

    def last_output(self, lines: int = 25) -> str:
        """The end of the server's output."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """End the server and all that still lies below it."""
        if self._process:
            below = descendants(self._process.pid)
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            end_all(below)
            self._process = None
