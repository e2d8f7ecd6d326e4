"""A desktop's parts: what is started once, and what is left when X ends. The whole is in tests/browser."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from daas_hub.errors import SessionFailed
from daas_hub.session.desktop.desktop import Desktop
from daas_hub.session.desktop.xserver import XServer
from daas_hub.session.settings import DesktopApplication

SLEEP = DesktopApplication("sleep", "Sleep", ("sleep", "30"))


def children() -> set[str]:
    """Return the pids of this process's children; ended ones of other tests are among them until they are reaped."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def sleeping() -> subprocess.Popen[bytes]:
    """Start something that stands for an X server."""
    return subprocess.Popen(["sleep", "30"])


async def test_pressed_twice_it_starts_once() -> None:
    """J1: "Start it again" in two tabs."""
    desktop = Desktop(SLEEP, [SLEEP], None)
    before = children()
    await asyncio.gather(desktop.start_application(), desktop.start_application())
    assert len(children() - before) == 1
    assert desktop.state == "running"
    await desktop.stop()
    assert desktop.state == "ended"


async def test_without_an_x_server_it_says_so() -> None:
    with pytest.raises(SessionFailed, match="X server is not installed"):
        await Desktop(SLEEP, [SLEEP], None).start()


async def test_an_application_that_is_not_installed_is_reported_before_anybody_waits(tmp_path: Path) -> None:
    absent = DesktopApplication("absent", "Absent", ("no-such-program",))
    process = sleeping()
    desktop = Desktop(absent, [absent], XServer(process, tmp_path / "screen", tmp_path / "cookie", -1))
    with pytest.raises(SessionFailed, match=r"Absent is not installed here \(no-such-program\)"):
        await desktop.start()
    await desktop.stop()
    assert process.poll() is not None, "its X server has ended with it"


async def test_an_x_server_that_ends_is_noticed_once(tmp_path: Path) -> None:
    """The kernel goes on saying that a process has ended: asked for ever, the loop would do nothing else."""
    read, write = os.pipe()
    os.write(write, b"7\n")
    os.close(write)
    process = sleeping()
    desktop = Desktop(SLEEP, [], XServer(process, tmp_path / "d" / "screen", tmp_path / "d" / "cookie", read))
    before = len(os.listdir("/proc/self/fd"))
    await desktop._wait_for_x(desktop._x)  # type: ignore[arg-type]
    process.kill()
    await asyncio.wait_for(desktop.wait_ended(), 30)
    assert len(os.listdir("/proc/self/fd")) < before, "neither the pipe nor the process's descriptor is open"
    process.wait()
