"""What a session measures of its directories: file systems as they are, and directories with a limit of their own."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from daas_hub.disk_space import HOME
from daas_hub.session import disk_use as module
from daas_hub.session.disk_use import DiskUse, bytes_below, space_of

MIB = 2**20


def write(path: Path, count: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * count)


def test_a_file_system_as_it_is(tmp_path: Path) -> None:
    space, status = space_of("/tmp", tmp_path), os.statvfs(tmp_path)
    assert space is not None
    assert space.size == status.f_blocks * status.f_frsize
    assert 0 < space.free <= space.size
    assert space_of("/tmp", tmp_path / "missing") is None


def test_a_directory_with_a_limit(tmp_path: Path) -> None:
    write(tmp_path / "one", 3 * MIB)
    write(tmp_path / "deep" / "below" / "two", 2 * MIB)
    (tmp_path / "link").symlink_to("/")
    used = bytes_below(tmp_path)
    assert used is not None
    assert 5 * MIB <= used < 5.5 * MIB
    space = space_of("/tmp", tmp_path, 8 * MIB)
    assert space is not None
    assert (space.size, space.free) == (8 * MIB, 8 * MIB - used)
    beyond = space_of("/tmp", tmp_path, 4 * MIB)
    assert beyond is not None
    assert beyond.free == 0


def test_a_sparse_file_takes_what_it_has(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    assert bytes_below(tmp_path) == 0


def test_too_many_files_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 10)
    for number in range(11):
        (tmp_path / str(number)).touch()
    assert bytes_below(tmp_path) is None
    assert space_of("/tmp", tmp_path, MIB) is None, "nothing is guessed"


async def test_what_is_almost_full_is_found_until_it_is_not(tmp_path: Path) -> None:
    home, tmp = tmp_path / "home", tmp_path / "tmp"
    write(home / "file", 10)
    write(tmp / "file", 8 * MIB)
    disk = DiskUse({HOME: home, "/tmp": tmp}, {HOME: 8 * MIB, "/tmp": 8 * MIB})
    assert disk.full == ()
    # each look finds what is there now, also right after another
    for _ in range(50):
        await disk.look()
        assert [one.name for one in disk.full] == ["/tmp"]
        (tmp / "file").rename(tmp_path / "elsewhere")
        await disk.look()
        assert disk.full == ()
        (tmp_path / "elsewhere").rename(tmp / "file")


async def test_a_file_system_that_does_not_respond_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a home on a server that is away: it is asked once, and again when it has answered."""
    answers, asked = threading.Event(), []

    def hang(name: str, path: Path, limit: int) -> None:
        asked.append(name)
        answers.wait(30)

    monkeypatch.setattr(module, "space_of", hang)
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    disk = DiskUse({HOME: tmp_path})
    began = time.monotonic()
    await disk.look()
    await disk.look()
    assert time.monotonic() - began < 5
    assert asked == [HOME]
    answers.set()
    assert disk._looking is not None
    await asyncio.wait({disk._looking}, timeout=10)
    await disk.look()
    assert asked == [HOME] * 2
