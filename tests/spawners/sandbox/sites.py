"""A sandbox as the spawner builds it, on directories of a test's own."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any
from unittest.mock import AsyncMock

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.guest_layout import identity_texts
from daas_hub.spawners.runtime_dir import write_identity_files
from daas_hub.spawners.sandbox.argv import InheritedFds, sandbox_argv
from daas_hub.spawners.sandbox.launch import SandboxLaunch
from daas_hub.storage import Pinned

UID = 25001 if os.geteuid() == 0 else os.getuid()
GID = 25001 if os.geteuid() == 0 else os.getgid()
SMALL = Size("small", "Small", 2**30, 1.0, 100, 1.0)
PLAN = Plan(Account("anna", UID, GID), Application("x", "X", Kind.DESKTOP), SMALL, ())


@contextmanager
def site() -> Iterator[Site]:
    """Make the folders of a site; they are removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="daas-", dir="/var/tmp"))
    root.chmod(0o755)
    try:
        for name in ("api", "sockets", "home", "data"):
            (root / name).mkdir()
            (root / name).chmod(0o755)
        os.chown(root / "home", UID, GID)
        write_identity_files(root / "identity", identity_texts(PLAN.account))
        with socket.socket(socket.AF_UNIX) as listener:
            yield Site(root, listener.fileno())
    finally:
        shutil.rmtree(root)


class Site:
    """Storage, and the files of one session."""

    def __init__(self, root: Path, listen_fd: int) -> None:
        self.root = root
        self._listen_fd = listen_fd
        self.home = Mount(self._path("/"), self._path("home"), ".", writable=True)

    def _path(self, name: str) -> PurePosixPath:
        return PurePosixPath(self.root / name.lstrip("/"))

    def data(self, name: str, target: str = "data") -> Mount:
        """Return the mount of a directory of raw data."""
        return Mount(self._path("data"), self._path(f"data/{name}"), target)

    def launch(self, *pinned: Pinned, command: list[str], output: IO[bytes], **more: Any) -> SandboxLaunch:
        """Return the launch of a command with these directories, with the spawner's own arguments of bubblewrap."""
        plan = replace(PLAN, mounts=tuple(one.mount for one in pinned))
        build = partial(
            sandbox_argv,
            plan,
            program="python3",
            identity_files=self.root / "identity",
            api_dir=self.root / "api",
            sockets_dir=self.root / "sockets",
            prefix=Path(sys.prefix),
        )

        def argv(fds: InheritedFds) -> list[str]:
            words = build(fds)
            return [*words[: words.index("--") + 1], *command]

        wanted: dict[str, Any] = {
            "plan": plan,
            "pinned": pinned,
            "argv": argv,
            "environment": {"PATH": "/usr/bin:/bin", "HOME": plan.home},
            "listen_fd": self._listen_fd,
            "output": output,
            "apply_limits": AsyncMock(),
            "on_started": lambda _pid: None,
        }
        return SandboxLaunch(**(wanted | more))
