"""Memory, CPU and process limits of a session, by cgroups.

Version 2 (one tree) and version 1 (one tree per controller) are both in use. A hub that cannot create cgroups starts
sessions without limits and logs a warning.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from daas_hub.catalogue import Size

ROOT = Path("/sys/fs/cgroup")
_CPU_PERIOD_US = 100_000
_CONTROLLERS = ("memory", "cpu", "pids")


@dataclass(frozen=True)
class ControlGroup:
    """The directories of one session's cgroup: one for version 2, one per controller for version 1."""

    paths: tuple[Path, ...]

    def add(self, *pids: int) -> None:
        """Move processes into the cgroup; their later children inherit it."""
        for pid in pids:
            for path in self.paths:
                (path / "cgroup.procs").write_text(str(pid))

    def processes(self) -> set[int]:
        """Return the processes that are in the cgroup now."""
        found: set[int] = set()
        for path in self.paths:
            with contextlib.suppress(OSError):
                found |= {int(line) for line in (path / "cgroup.procs").read_text().split()}
        return found

    def memory_kills(self) -> int:
        """Return how many of its processes the kernel has killed because its memory was used up."""
        for path in self.paths:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError, ValueError, KeyError):
                    counts = dict(line.split() for line in (path / name).read_text().splitlines())
                    return int(counts["oom_kill"])
        return 0

    def memory_limit(self) -> int:
        """Return its memory limit in bytes; 0 for none."""
        for path in self.paths:
            for name in ("memory.max", "memory.limit_in_bytes"):
                with contextlib.suppress(OSError, ValueError):  # "max"
                    return int((path / name).read_text())
        return 0

    def remove(self) -> None:
        """Remove the cgroup; its processes have ended, but the kernel may need some milliseconds more."""
        for path in self.paths:
            for _ in range(50):
                try:
                    path.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break


def existing_group(name: str, root: Path = ROOT) -> ControlGroup:
    """Return the cgroup of this name if it exists, also from an earlier hub process (it may hold no directory)."""
    places = [place for place in _places(name, root, make_parents=False) if place.is_dir()]
    return ControlGroup(tuple(places))


def make_group(name: str, size: Size, root: Path = ROOT) -> ControlGroup | None:
    """Create the cgroup of a session; return None where this machine or this user cannot.

    Args:
        name: the session's key, one path component.
    """
    try:
        places = _places(name, root, make_parents=True)
        if not places:
            return None
        for place in places:
            place.mkdir(exist_ok=True)
        group = ControlGroup(tuple(places))
        if (root / "cgroup.controllers").exists():
            _limit_v2(places[0], size)
        else:
            _limit_v1({place.parts[len(root.parts)]: place for place in places}, size)
    except (OSError, IndexError):
        existing_group(name, root).remove()
        return None
    return group


def _places(name: str, root: Path, *, make_parents: bool) -> list[Path]:
    if (root / "cgroup.controllers").exists():
        parent = root / _own_group_v2() / "daas-sessions"
        if make_parents:
            parent.mkdir(exist_ok=True)
            _delegate(parent.parent)
            _delegate(parent)
        return [parent / name]
    controllers = [root / controller for controller in _CONTROLLERS]
    if not all(controller.is_dir() for controller in controllers):
        return []  # all limits or none
    parents = [controller / "daas-sessions" for controller in controllers]
    if make_parents:
        for parent in parents:
            parent.mkdir(exist_ok=True)
    return [parent / name for parent in parents]


def _own_group_v2() -> str:
    """Return the parent of sessions' cgroups: the root cgroup for root, else the one systemd delegated to this user."""
    if os.geteuid() == 0:
        return "."
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::/"):
            # a cgroup with processes cannot have limited children: the parent of the hub's own
            return str(Path(line[4:]).parent)
    return "."


def _delegate(group: Path) -> None:
    available = (group / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{name}" for name in _CONTROLLERS if name in available)
    (group / "cgroup.subtree_control").write_text(wanted)


def _limit_v2(place: Path, size: Size) -> None:
    (place / "memory.max").write_text(str(size.memory_bytes))
    with contextlib.suppress(OSError):  # a kernel without swap accounting has no such file
        (place / "memory.swap.max").write_text("0")
    (place / "cpu.max").write_text(f"{int(size.cpus * _CPU_PERIOD_US)} {_CPU_PERIOD_US}")
    (place / "pids.max").write_text(str(size.processes))


def _limit_v1(places: dict[str, Path], size: Size) -> None:
    (places["memory"] / "memory.limit_in_bytes").write_text(str(size.memory_bytes))
    with contextlib.suppress(OSError):
        (places["memory"] / "memory.memsw.limit_in_bytes").write_text(str(size.memory_bytes))
    (places["cpu"] / "cpu.cfs_period_us").write_text(str(_CPU_PERIOD_US))
    (places["cpu"] / "cpu.cfs_quota_us").write_text(str(int(size.cpus * _CPU_PERIOD_US)))
    (places["pids"] / "pids.max").write_text(str(size.processes))
