"""A sandbox on the layouts of four facilities, where storage squashes root: what it needs the account alone reaches."""

from __future__ import annotations

import socket
import sys
import tempfile
from functools import partial
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from daas_hub.spawners.sandbox.argv import InheritedFds, sandbox_argv
from daas_hub.spawners.sandbox.launch import SandboxLaunch, build_sandbox
from daas_hub.spawners.trial import trial_dir
from daas_hub.storage import AccountStorage
from tests.sandbox.layouts import HOLDS, LAYOUTS, LOOK, launch_on_squashed_storage

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("name", LAYOUTS)
async def test_sandbox_runs_on_squashed_storage(name: str, reachable: Path, sandbox_works: None) -> None:
    with launch_on_squashed_storage(name, reachable) as plan, trial_dir(plan) as folder:
        build = partial(
            sandbox_argv,
            plan,
            program="python3",
            identity_files=folder / "identity",
            api_dir=folder / "api",
            sockets_dir=folder / "sockets",
            prefix=Path(sys.prefix),
        )

        def argv(fds: InheritedFds) -> list[str]:
            words = build(fds)
            return [*words[: words.index("--") + 1], "sh", "-c", LOOK]

        async with AccountStorage(plan.account) as storage:
            pinned = await storage.pin(plan.mounts)
            with tempfile.TemporaryFile() as output, socket.socket(socket.AF_UNIX) as listener:
                environment = {"PATH": "/usr/bin:/bin", "HOME": plan.home}
                launch = SandboxLaunch(
                    plan, pinned, argv, environment, listener.fileno(), output, AsyncMock(), lambda _: None,
                    storage=storage,
                )  # fmt: skip
                assert await (await build_sandbox(launch)).wait() == 0
                output.seek(0)
                said = output.read().decode()
            for one in pinned:
                one.close()
    assert all(one in said for one in HOLDS), said
    assert "data-written" not in said
