"""The memory limit of this session, as its cgroup has it, in version 1 and 2 of the interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

#: Version 1 has no word for "unlimited", but a number near the largest one.
_UNLIMITED = 2**60


def memory_limit_bytes(root: Path = Path("/")) -> int:
    """Return the lowest memory limit of this process's cgroup and those above it; 0 for none.

    Args:
        root: where /proc and /sys are.
    """
    found = [limit for file in _limit_files(root) if 0 < (limit := _read(file)) < _UNLIMITED]
    return min(found, default=0)


def _limit_files(root: Path) -> Iterator[Path]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            mounted, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        elif not controllers:
            mounted, name = root / "sys/fs/cgroup", "memory.max"
        else:
            continue
        # without a namespace of its own, a container sees its host's path here, and its own cgroup at the mount
        below = PurePosixPath(path.strip("/"))
        yield from (mounted / one / name for one in (below, *below.parents))


def _read(file: Path) -> int:
    """Return a limit in bytes; 0 for no limit."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # "max"
        return 0
