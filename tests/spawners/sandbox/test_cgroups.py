"""A session's limits in control groups, against a tree of plain files in the shape the kernel gives it (H8', AL14)."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from daas_hub.catalogue import Size
from daas_hub.spawners.sandbox.cgroups import ControlGroup, existing_group, make_group
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

SIZE = Size("small", "2 processors", 4 * 2**30, 1.5, 500, 12)


def own_group() -> str:
    """Return where version 2 lets this user make groups: the top for root, beside its own group otherwise."""
    if os.geteuid() == 0:
        return "."
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next((str(Path(line[4:]).parent) for line in lines if line.startswith("0::/")), ".")


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    """Return the root of a tree of version 2; the kernel makes the files of a group with its directory."""
    for folder in (tmp_path, tmp_path / own_group(), tmp_path / own_group() / "daas-sessions"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    return tmp_path


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    """Return the root of trees of version 1."""
    for name in ("memory", "cpu", "pids", "cpuset", "freezer"):
        (tmp_path / name).mkdir()
    return tmp_path


def read(*path: str | Path) -> str:
    return Path(*path).read_text()


def test_version_2(v2: Path) -> None:
    group = make_group("abc", SIZE, v2)
    place = v2 / own_group() / "daas-sessions" / "abc"
    assert group == ControlGroup((place,))
    assert read(place, "memory.max") == str(4 * 2**30)
    assert read(place, "memory.swap.max") == "0", "or the limit is only where swapping begins"
    assert read(place, "cpu.max") == "150000 100000"
    assert read(place, "pids.max") == "500"
    parents = (v2 / own_group(), v2 / own_group() / "daas-sessions")
    for parent in parents:
        assert sorted(read(parent, "cgroup.subtree_control").split()) == ["+cpu", "+memory", "+pids"]


def test_version_1(v1: Path) -> None:
    group = make_group("abc", SIZE, v1)
    assert group is not None
    assert {path.relative_to(v1).as_posix() for path in group.paths} == {
        f"{controller}/daas-sessions/abc" for controller in ("memory", "cpu", "pids")
    }
    memory, cpu, pids = (v1 / controller / "daas-sessions" / "abc" for controller in ("memory", "cpu", "pids"))
    assert read(memory, "memory.limit_in_bytes") == str(4 * 2**30)
    assert read(memory, "memory.memsw.limit_in_bytes") == str(4 * 2**30)
    assert (read(cpu, "cpu.cfs_period_us"), read(cpu, "cpu.cfs_quota_us")) == ("100000", "150000")
    assert read(pids, "pids.max") == "500"
    assert not (v1 / "freezer" / "daas-sessions").exists()


def test_a_group_of_the_same_session_is_used_again(v1: Path) -> None:
    """K1: a hub that was killed in mid start leaves its group."""
    assert make_group("abc", SIZE, v1) == make_group("abc", SIZE, v1) == existing_group("abc", v1)


def test_two_sessions_have_two_groups(v2: Path) -> None:
    one, other = make_group("abc", SIZE, v2), make_group("abd", SIZE, v2)
    assert one is not None
    assert other is not None
    assert set(one.paths).isdisjoint(other.paths)


# -- machines that cannot ------------------------------------------------------------------------------------------


def test_a_machine_without_control_groups(tmp_path: Path) -> None:
    """Sessions run without limits, and the hub says so: no error."""
    assert make_group("abc", SIZE, tmp_path) is None
    assert make_group("abc", SIZE, tmp_path / "nothing") is None


@pytest.mark.parametrize("missing", ["memory", "cpu", "pids"])
def test_version_1_without_one_controller(v1: Path, missing: str) -> None:
    """A container often sees some of them: no half-limited session, no error.

    (Here the files of a group keep its directory from being removed; in the kernel's tree they do not.)
    """
    (v1 / missing).rmdir()
    assert make_group("abc", SIZE, v1) is None


def test_version_2_without_the_right(v2: Path) -> None:
    """A file where the group should be made stands for a tree one may not write to (also root runs this)."""
    (v2 / own_group() / "daas-sessions" / "abc").write_text("")
    assert make_group("abc", SIZE, v2) is None


def test_version_2_that_is_not_delegated(tmp_path: Path) -> None:
    (tmp_path / own_group()).mkdir(parents=True, exist_ok=True)
    (tmp_path / "cgroup.controllers").write_text("memory\n")
    assert make_group("abc", SIZE, tmp_path) is None


# -- processes -----------------------------------------------------------------------------------------------------


def test_processes(v1: Path) -> None:
    group = make_group("abc", SIZE, v1)
    assert group is not None
    assert group.processes() == set()
    group.add(4242)
    assert [read(path, "cgroup.procs") for path in group.paths] == ["4242"] * 3
    (group.paths[0] / "cgroup.procs").write_text("17\n4242\n")
    assert group.processes() == {17, 4242}


def test_a_group_that_is_gone_has_no_processes(tmp_path: Path) -> None:
    assert ControlGroup((tmp_path / "x",)).processes() == set()
    assert existing_group("abc", tmp_path).processes() == set()


def test_remove(tmp_path: Path) -> None:
    group = ControlGroup((tmp_path / "a", tmp_path / "b", tmp_path / "never"))
    for path in group.paths[:2]:
        path.mkdir()
    group.remove()
    assert list(tmp_path.iterdir()) == []
    group.remove()


def test_remove_waits_for_the_kernel(tmp_path: Path) -> None:
    """A group whose last process has just died is still busy for some milliseconds."""
    group = ControlGroup((tmp_path / "a",))
    (tmp_path / "a").mkdir()
    busy = tmp_path / "a" / "dying"
    busy.mkdir()
    timer = threading.Timer(0.05, busy.rmdir)
    timer.start()
    group.remove()
    timer.join()
    assert not (tmp_path / "a").exists()


def test_remove_gives_up(tmp_path: Path) -> None:
    """K2: a process that does not die must not hold the hub."""
    (tmp_path / "a" / "stuck").mkdir(parents=True)
    begun = time.monotonic()
    ControlGroup((tmp_path / "a",)).remove()
    assert time.monotonic() - begun < 3


def test_kills_at_the_memory_limit_are_counted(v1: Path) -> None:
    """As Linux writes them: with version 1 in a file of states, with version 2 in one of events."""
    group = make_group("abc", SIZE, v1)
    assert group is not None
    assert (group.memory_kills(), group.memory_limit()) == (0, 4 * 2**30)
    (group.paths[0] / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert group.memory_kills() == 3


def test_kills_are_counted_with_version_2(v2: Path) -> None:
    group = make_group("abc", SIZE, v2)
    assert group is not None
    assert (group.memory_kills(), group.memory_limit()) == (0, 4 * 2**30)
    (group.paths[0] / "memory.events").write_text("low 0\nhigh 0\nmax 41\noom 2\noom_kill 2\noom_group_kill 0\n")
    assert group.memory_kills() == 2
    (group.paths[0] / "memory.max").write_text("max\n")
    assert group.memory_limit() == 0


def test_a_session_without_a_group_has_no_kills(v1: Path) -> None:
    group = existing_group("gone", v1)
    assert (group.memory_kills(), group.memory_limit()) == (0, 0)


async def test_a_cancelled_start_leaves_the_making_of_its_cgroup_alone() -> None:
    """A thread cannot be cancelled: what it makes after the start has removed its cgroup would stay for ever."""
    made = asyncio.Event()
    limiting = asyncio.ensure_future(made.wait())
    applying = asyncio.ensure_future(SandboxSpawner._apply_limits(None, limiting, os.getpid()))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    applying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await applying
    assert not limiting.cancelled()
    made.set()
    assert await limiting
