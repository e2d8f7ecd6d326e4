"""A journal of its own: systemd's journald in a namespace, which a program writes to as a unit's does."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.not_tried import missing
from tests.waiting import wait_for

JOURNALD = Path("/lib/systemd/systemd-journald")
#: Where journald keeps a namespace: its sockets, and its files if there is a persistent journal or none.
SOCKETS, FILES = Path("/run/systemd"), (Path("/var/log/journal"), Path("/run/log/journal"))


@dataclass(frozen=True)
class Journal:
    """A journald that runs, by the name of its namespace."""

    namespace: str

    @property
    def _stream(self) -> Path:
        return SOCKETS / f"journal.{self.namespace}" / "stdout"

    def is_ready(self) -> bool:
        """Return whether it can be written to."""
        return self._stream.is_socket()

    def output_of(self, unit: str) -> socket.socket:
        """Return what systemd connects a unit's standard output and error to."""
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(self._stream))
        # identifier, unit, priority, prefixes of levels, and whether to forward it: to syslog, kmsg, the console
        line.sendall(f"{unit}\n{unit}.service\n6\n1\n0\n0\n0\n".encode())
        return line

    def run(self, command: str) -> str:
        """Return what a command of the shell prints that calls journalctl, which reads this journal."""
        command = command.replace("journalctl ", f"journalctl --no-pager --namespace={self.namespace} ", 1)
        ran = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=True, timeout=30
        )
        return ran.stdout


@contextmanager
def running_journal() -> Iterator[Journal]:
    """Run a journald; its namespace and all of its files are removed at the end."""
    if os.geteuid() != 0:
        missing("root", "journald runs as root")
    if not JOURNALD.exists() or shutil.which("journalctl") is None:
        missing("systemd", "systemd-journald is not installed")
    journal = Journal(f"daastest{secrets.token_hex(4)}")
    process = subprocess.Popen([JOURNALD, journal.namespace], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(journal.is_ready, "journald")
        yield journal
    finally:
        process.terminate()
        process.wait(30)
        for folder in (SOCKETS, *FILES):
            for one in folder.glob(f"*.{journal.namespace}"):
                shutil.rmtree(one)
