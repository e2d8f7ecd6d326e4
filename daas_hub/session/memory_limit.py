"""The memory limit of this session, and programs that the kernel killed at it, from its cgroup (version 1 and 2)."""

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
    limits = map(_read, _files(root, "memory.limit_in_bytes", "memory.max"))
    return min((limit for limit in limits if 0 < limit < _UNLIMITED), default=0)


def memory_kills(root: Path = Path("/")) -> int:
    """Return how many processes of this session's cgroup the kernel has killed because its memory was used up.

    With version 1 each kill is that of one process, and nothing else reports it. With version 2 the kubelet ends the
    whole container, unless it is configured with `singleProcessOOMKill`.

    Args:
        root: where /proc and /sys are.
    """
    for file in _files(root, "memory.oom_control", "memory.events"):
        try:
            counts = dict(line.split() for line in file.read_text().splitlines())
            return int(counts["oom_kill"])
        except (OSError, ValueError, KeyError):
            continue
    return 0


def _files(root: Path, v1: str, v2: str) -> Iterator[Path]:
    """Yield the files of these names, from the cgroup of this process to the topmost one that is visible."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            mounted, name = root / "sys/fs/cgroup/memory", v1
        elif not controllers:
            mounted, name = root / "sys/fs/cgroup", v2
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
