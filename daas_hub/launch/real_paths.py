"""The facility's own paths in a session: where a directory also appears, besides its place in the home. Pure.

Files refer to each other by absolute paths: external links of HDF5, virtual datasets, symbolic links. A directory
appears under its own path and under the aliases that the facility has for it, except where sessions have directories
themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

#: Directories of every session; what is mounted there, below, or above, would hide programs or files of the session.
SYSTEM = tuple(
    PurePosixPath(path)
    for path in (
        "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/opt/daas-hub", "/proc", "/root",
        "/run", "/sbin", "/sys", "/usr", "/var/cache", "/var/lib/xkb",
    )
)  # fmt: skip
#: Directories of every session below which others may be mounted.
SHARED = tuple(map(PurePosixPath, ("/", "/home", "/opt", "/tmp", "/var", "/var/lib", "/var/tmp")))  # noqa: S108


@dataclass(frozen=True)
class Alias:
    """One prefix of paths on the storage, and what it is called in sessions: "/gpfs/easy/data" as "/data"."""

    storage: PurePosixPath
    session: PurePosixPath

    def of(self, source: PurePosixPath) -> PurePosixPath | None:
        """Return the path in sessions of a directory on the storage; None if it is not below the prefix."""
        return self.session / source.relative_to(self.storage) if source.is_relative_to(self.storage) else None


#: Every directory under its own path.
UNCHANGED = Alias(PurePosixPath("/"), PurePosixPath("/"))


def collides(path: PurePosixPath, home: PurePosixPath | None = None) -> bool:
    """Return whether a mount at this path would hide directories of a session itself.

    Args:
        home: the home in that session, below which only its own mounts are.
    """
    if path in SHARED or any(path.is_relative_to(one) or one.is_relative_to(path) for one in SYSTEM):
        return True
    return home is not None and (path.is_relative_to(home) or home.is_relative_to(path))


def real_paths(source: PurePosixPath, aliases: Sequence[Alias], home: str) -> tuple[str, ...]:
    """Return the further paths in a session of a directory on the storage, without those that collide."""
    found = [one.of(source) for one in aliases]
    return tuple(str(path) for path in dict.fromkeys(found) if path and not collides(path, PurePosixPath(home)))
