"""A real registry on this machine's loopback, behind a line as slow as a test wants it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.live_portal import free_ports
from tests.not_tried import missing

CONFIG = """\
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: %s}
http: {addr: "127.0.0.1:%d"}
"""


@dataclass
class Registry:
    """A running registry: `port` is the fast line, `slow_port` the slow one."""

    port: int
    slow_port: int
    log: Path

    def name(self, repository: str, *, slow: bool = False) -> str:
        """Return the name of a repository in it."""
        return f"127.0.0.1:{self.slow_port if slow else self.port}/{repository}"


@contextlib.contextmanager
def running_registry(folder: Path, *, bytes_per_s: float) -> Iterator[Registry]:
    """Run one."""
    program = shutil.which("docker-registry")
    if program is None:
        missing("docker", "docker-registry is not installed")
        raise AssertionError
    port = free_ports(2)
    (folder / "config.yml").write_text(CONFIG % (folder / "blobs", port))
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=output, stderr=output)
    try:
        with _slow_line(port + 1, port, bytes_per_s):
            until = time.monotonic() + 30
            while time.monotonic() < until:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            yield Registry(port, port + 1, log)
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def _slow_line(port: int, to: int, bytes_per_s: float) -> Iterator[None]:
    """Hand on connections to another port, no faster than this."""
    listener = socket.create_server(("127.0.0.1", port))

    def pump(source: socket.socket, sink: socket.socket, pause: float) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
                time.sleep(len(piece) * pause)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def connect(near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", to)) as far:
            back = threading.Thread(target=pump, args=(far, near, 1 / bytes_per_s), daemon=True)
            back.start()
            pump(near, far, 0.0)
            back.join()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=connect, args=(near,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        # a blocked accept ends with a shutdown, not with a close
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
