"""What a session prints: only the end is kept, whatever the amount, and also when the hub is killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from daas_hub.spawners.session_output import KEPT_BYTES, KeptOutput, failure_in, kept_output
from tests.waiting import wait_for

#: Prints a number of bytes and a line, and then makes a file.
PRINT = 'head -c "$1" /dev/zero | tr "\\0" x; echo; echo "daas-session: failed: No screen."; touch "$2"'


def printing(output: KeptOutput, done: Path, *, bytes_: int) -> subprocess.Popen[bytes]:
    """Start a program that prints into the pipe."""
    argv = ["sh", "-c", PRINT, "sh", str(bytes_), str(done)]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output.writer, start_new_session=True)
    output.writer.close()
    return process


@pytest.mark.parametrize("bytes_", [0, 10, KEPT_BYTES, 200_000_000])
async def test_the_end_is_kept_and_no_more(tmp_path: Path, bytes_: int) -> None:
    output = await KeptOutput.start(tmp_path / "output")
    process = await asyncio.to_thread(printing, output, tmp_path / "done", bytes_=bytes_)
    assert await asyncio.to_thread(process.wait) == 0
    text = await output.result()
    assert (tmp_path / "output").stat().st_size <= KEPT_BYTES
    assert (tmp_path / "output").stat().st_mode & 0o077 == 0
    assert len(text) == min(bytes_ + len("\ndaas-session: failed: No screen.\n"), KEPT_BYTES)
    assert failure_in(text) == "No screen."
    assert kept_output(tmp_path / "output") == text


def test_a_hub_that_is_killed_neither_ends_nor_blocks_the_session(tmp_path: Path) -> None:
    """More than a pipe holds is printed after the hub's end, and the end of it is still kept."""

    async def start() -> None:
        output = await KeptOutput.start(tmp_path / "output")
        argv = ["sh", "-c", f"sleep 0.5; {PRINT}", "sh", "3000000", str(tmp_path / "done")]
        subprocess.Popen(argv, stdout=output.writer, start_new_session=True)  # noqa: ASYNC220
        os.kill(os.getpid(), signal.SIGKILL)

    hub = os.fork()
    if hub == 0:
        try:
            asyncio.run(start())
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(hub, 0)[1]) == signal.SIGKILL
    wait_for((tmp_path / "done").exists)
    until = time.monotonic() + 30
    while len(text := kept_output(tmp_path / "output")) < KEPT_BYTES:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert failure_in(text) == "No screen."


async def test_a_session_that_hands_its_pipe_to_somebody_does_not_hold_the_hub(tmp_path: Path) -> None:
    output = await KeptOutput.start(tmp_path / "output")
    held = os.dup(output.writer.fileno())
    try:
        assert await output.result() == ""
    finally:
        os.close(held)
    assert await output.keeper.wait() == 0


def test_no_file_is_no_output(tmp_path: Path) -> None:
    assert kept_output(tmp_path / "none") is None
