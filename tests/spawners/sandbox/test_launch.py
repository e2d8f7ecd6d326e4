"""A sandbox that is being built while the hub dies. What a finished one holds is tried in tests/sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.launch import Plan
from daas_hub.spawners.base import ProposalSessionMixin
from daas_hub.spawners.sandbox.argv import InheritedFds
from daas_hub.spawners.sandbox.launch import SandboxLaunch, build_sandbox

pytestmark = pytest.mark.sandbox

ACCOUNT = Account("anna", 25001, 25001)
PLAN = Plan(ACCOUNT, Application("x", "X", Kind.DESKTOP), Size("small", "Small", 2**30, 1.0, 100, 1.0), ())


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder the account can write to."""
    path = Path(tempfile.mkdtemp(prefix="daas-", dir="/var/tmp"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def hub_that_builds(written: Path, note: Callable[[int], None]) -> int:
    """Build a sandbox whose program writes a file, in a process of its own; give how that process ended."""

    def argv(channels: InheritedFds) -> list[str]:
        words = ["bwrap", "--unshare-user", "--unshare-pid", "--dev-bind", "/", "/"]
        words += ["--info-fd", str(channels.info), "--block-fd", str(channels.start)]
        if channels.user_namespace is not None:
            words += ["--userns-block-fd", str(channels.user_namespace)]
        return [*words, "--", "touch", str(written)]

    async def run() -> None:
        with tempfile.TemporaryFile() as output:
            order = SandboxLaunch(PLAN, (), argv, dict(os.environ), output.fileno(), output, AsyncMock(), note)
            await (await build_sandbox(order)).wait()

    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(run())
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


def end_leftovers(words: str) -> int:
    """End every process with these words among its arguments; give how many there were."""
    found = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if words.encode() in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)
                found += 1
    return found


def test_it_runs_at_the_hubs_word(folder: Path, sandbox_works: None) -> None:
    assert hub_that_builds(folder / "written", lambda _pid: None) == 0
    assert (folder / "written").exists()


def test_nothing_runs_when_the_hub_dies_before_its_word(folder: Path, sandbox_works: None) -> None:
    """H8: bubblewrap takes the end of the pipe it waits on for the word; a hub that is killed must not give it so."""
    ended = hub_that_builds(folder / "written", lambda _pid: os.kill(os.getpid(), signal.SIGKILL))
    assert os.WTERMSIG(ended) == signal.SIGKILL
    time.sleep(1)
    assert end_leftovers(str(folder)), "it waits still"
    assert not (folder / "written").exists()


def test_a_backend_without_a_start_is_refused() -> None:
    with pytest.raises(TypeError, match="Lazy has no start_session"):
        type("Lazy", (ProposalSessionMixin,), {})
