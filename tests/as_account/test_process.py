"""The process that acts as an account: who it is, what it lacks, and that it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daas_hub.as_account import client
from daas_hub.as_account.client import AccountProcess, has_ended
from tests.not_tried import missing

USR = {
    "do": "open",
    "wanted": [
        {"root": "/", "source": "/usr", "writable": False, "create": False, "owner": [-1, -1], "mode": 0o700,
         "pattern": False, "names": 0}
    ],
}  # fmt: skip


@contextmanager
def process_of(*ids: Any) -> Iterator[AccountProcess]:
    """Yield a process of an account; of the hub's own without one."""
    if ids and os.geteuid() != 0:
        missing("root", "only root becomes an account")
    process = AccountProcess(ids or None)
    try:
        yield process
    finally:
        process.close()


async def ask(process: AccountProcess) -> dict[str, Any]:
    answer, fds = await process.ask(USR, (), 30)
    for fd in fds:
        os.close(fd)
    return answer


def pid_of(process: AccountProcess) -> int:
    """Return the pid behind its pidfd, which is the only thing that the hub knows of it."""
    match = re.search(r"Pid:\t(\d+)", Path(f"/proc/self/fdinfo/{process._pidfd}").read_text())
    assert match
    return int(match[1])


async def test_it_has_the_accounts_ids_and_no_capability() -> None:
    with process_of(25001, 25002, (26001, 26002, 25002)) as process:
        await ask(process)
        status = Path(f"/proc/{pid_of(process)}/status").read_text()  # noqa: ASYNC240
    assert "Uid:\t25001\t25001\t25001\t25001\n" in status
    assert "Gid:\t25002\t25002\t25002\t25002\n" in status
    assert re.search(r"Groups:\t(.*)", status)[1].split() == ["25002", "26001", "26002"]  # type: ignore[index]
    assert set(re.findall(r"Cap(?:Prm|Eff|Amb):\t(\w+)", status)) == {"0" * 16}


async def test_the_accounts_own_processes_cannot_look_into_it() -> None:
    """It has the account's uid and the hub's descriptors: whoever could trace it would have those."""
    with process_of(25001, 25001, ()) as process:
        await ask(process)
        argv = ["setpriv", "--reuid", "25001", "--regid", "25001", "--clear-groups", "ls",
                f"/proc/{pid_of(process)}/fd"]  # fmt: skip
        ran = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, check=False)
    assert "Permission denied" in ran.stderr


async def test_as_many_groups_as_the_kernel_takes() -> None:
    """65,536: a list that is longer than a message of the socket."""
    with process_of(25001, 25001, tuple(range(4_000_000_000, 4_000_065_535))) as process:
        assert (await ask(process))["source"] == "/usr"


async def test_one_process_serves_many_requests() -> None:
    with process_of() as process:
        await ask(process)
        first = pid_of(process)
        await ask(process)
        assert pid_of(process) == first


async def test_it_ends_when_it_is_closed() -> None:
    with process_of() as process:
        await ask(process)
        pidfd = os.dup(process._pidfd)
        process.close()
        until = time.monotonic() + 30
        while not has_ended(pidfd):
            assert time.monotonic() < until
            await asyncio.sleep(0.01)
        os.close(pidfd)


async def test_a_request_that_takes_too_long_is_killed_and_another_process_is_started() -> None:
    with process_of() as process:
        await ask(process)
        os.kill(pid_of(process), signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await process.ask(USR, (), 0.2)
        assert process.is_killed
        assert (await ask(process))["source"] == "/usr"


async def test_a_killed_server_is_started_again() -> None:
    with process_of() as process:
        await ask(process)
    assert client._server._process is not None
    client._server._process.kill()
    client._server._process.wait()
    with process_of() as process:
        assert (await ask(process))["source"] == "/usr"


async def test_what_goes_wrong_is_reported() -> None:
    with process_of() as process, pytest.raises(PermissionError, match="KeyError: 'unheard of'"):
        await process.ask({"do": "unheard of"}, (), 30)


def test_everything_ends_with_the_hub() -> None:
    """Also with one that is killed: its socket closes, and nobody else has it."""
    script = (
        "import asyncio, os, sys\n"
        "from daas_hub.as_account import client\n"
        "async def main():\n"
        "    process = client.AccountProcess(None)\n"
        "    await process.ask({'do': 'detach', 'paths': []}, (), 30)\n"
        "    print(client._server._process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as hub:
        assert hub.stdout is not None
        server = int(hub.stdout.readline())
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        assert children
        hub.kill()
    until = time.monotonic() + 30
    while any(_runs(int(pid)) for pid in (server, *children)):
        assert time.monotonic() < until
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
