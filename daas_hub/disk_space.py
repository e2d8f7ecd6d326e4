"""A session's directories that are almost full: when they are, and what its card and its own pages say. Pure.

The session measures, and reports numbers; hub and session word them in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from daas_hub.amounts import bytes_in_words

#: The directories that a session looks at, by the names that people know them by.
HOME = "home"
NAMES = (HOME, "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # inside of the session
#: A directory is almost full when less than this is free of it, ...
_SHARE = 0.1
#: ... and less than this: a tenth of a large home is enough for a day.
_BYTES = 2**30


@dataclass(frozen=True)
class Space:
    """What a directory has.

    Attributes:
        name: one of `NAMES`.
        free, size: bytes.
    """

    name: str
    free: int
    size: int

    @property
    def is_almost_full(self) -> bool:
        """Whether cards and pages say so."""
        return self.free < min(_BYTES, self.size * _SHARE)

    @property
    def words(self) -> str:
        """What they say."""
        name = "Your home" if self.name == HOME else self.name
        if not self.free:
            return f"{name} is full. Delete files there: programs fail."
        free = f"{bytes_in_words(self.free)} of {bytes_in_words(self.size)}"
        return f"{name} is almost full: {free} are free. Delete files there before programs fail."

    def as_report(self) -> dict[str, Any]:
        """Return it for the hub."""
        return {"name": self.name, "free": self.free, "size": self.size}


def read_report(given: object) -> tuple[Space, ...]:
    """Return the directories that are almost full, from a session's report; what is invalid is left out."""
    found: dict[str, Space] = {}
    for one in given if isinstance(given, list) else ():
        if not isinstance(one, Mapping):
            continue
        name, free, size = one.get("name"), one.get("free"), one.get("size")
        if name in NAMES and type(free) is int and type(size) is int and 0 <= free <= size:
            found[name] = Space(name, free, size)
    return tuple(one for one in found.values() if one.is_almost_full)


def in_words(found: Iterable[Space]) -> str:
    """Return what a card says of directories that are almost full; "" for none."""
    return " ".join(one.words for one in found)
