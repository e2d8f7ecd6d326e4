"""A session fills what it can reach: its output, its home, its directories in memory. Others notice nothing."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.spawners.session_output import KEPT_BYTES
from tests.live_portal import Person, Portal
from tests.sandbox.probe import probing

pytestmark = pytest.mark.sandbox


def bytes_of_files(pid: int) -> int:
    """Return the size of all files that a process has open, with those that have no name."""
    total = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            status = entry.stat()
        except OSError:
            continue
        if entry.is_file():
            total += status.st_blocks * 512
    return total


def test_what_a_session_prints_fills_no_file_of_the_hub(portal: Portal) -> None:
    """H8: what its first process inherited from the hub is a pipe, which belongs to the hub."""
    before = bytes_of_files(portal.process.pid)
    script = "ls -l /proc/1/fd/1 /proc/1/fd/2; head -c 200M /dev/zero > /proc/1/fd/1; true"
    with probing(portal.login("anna"), "anna", script) as probe:
        said = probe.output()
        grown = bytes_of_files(portal.process.pid) - before
        outputs = list((portal.state / "run" / "sessions").glob("*/output"))
        kept = [path.stat().st_size for path in outputs]
    assert said.count("-> pipe:") == 2, said
    if os.geteuid() == 0:
        assert "Permission denied" in said
    assert grown < 1_000_000
    assert kept
    assert max(kept) <= KEPT_BYTES


def test_directories_in_memory_have_the_size_of_the_session(portal: Portal) -> None:
    """Without a size each could take half of the machine's memory."""
    script = "df -B1 --output=target,size /tmp /dev/shm /var/tmp /run /run/session /var/lib/xkb | tail -n +2"
    with probing(portal.login("anna"), "anna", script) as probe:
        sizes = {line.split()[0]: int(line.split()[1]) for line in probe.output().splitlines()}
    memory = 4 * 2**30
    assert sizes["/tmp"] <= memory // 2
    assert sizes["/dev/shm"] <= memory // 4
    assert sizes["/var/tmp"] <= memory // 4
    assert sum(sizes.values()) < memory * 1.1


@pytest.fixture
def full_home(portal: Portal) -> Iterator[Path]:
    """Make carla's home a file system that is full, with 0 bytes left."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts something on the machine")
    home = portal.state / "homes" / "carla"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # what is below the mount is her home for the tests that follow
    os.chown(home, 25003, 25003)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700,uid=25003,gid=25003", "full", home], check=True)
    try:
        with (home / "filled").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        assert os.statvfs(home).f_bavail == 0
        yield home
    finally:
        subprocess.run(["umount", "-l", home], check=True)


@pytest.mark.parametrize("application", ["terminal", "jupyterlab"])
def test_a_full_home_stops_neither_its_session_nor_the_hub(portal: Portal, full_home: Path, application: str) -> None:
    """The session starts, so that its user can delete something; others work on, and it can be stopped."""
    person, other = portal.login("carla"), portal.login("ben")
    name = person.launch(application)
    page = f"/user/{person.name}/{name}/"
    assert person.get(page).status_code == 200
    assert other.get("/hub/home").status_code == 200
    with probing(other, "ben", "echo works") as probe:
        assert probe.output() == "works\n"
    assert person.stop(name).status_code == 303
    assert name not in servers_of(person)


def servers_of(person: Person) -> dict[str, object]:
    return dict(person.get(f"/hub/api/users/{person.name}").json()["servers"])
