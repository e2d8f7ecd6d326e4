"""The limits of one session's life, as they were decided at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Limits:
    """How long a session may last. 0 means: not limited, or not possible.

    Attributes:
        longest_s: its time limit, counted from its start.
        idle_s: it ends after being idle for this long: no key, no pointer, no kernel, and processors nearly unused.
        busy_processors: processors in use, averaged over `window_s`, from which it is not idle.
        warning_s: how long before its end it is announced.
        extension_s: what one extension adds to its time limit.
        max_extensions: how often it can be extended.
        never_beyond_s: no extension goes beyond this, counted from its start.
    """

    longest_s: float = 0.0
    idle_s: float = 0.0
    busy_processors: float = 0.1
    warning_s: float = 600.0
    extension_s: float = 0.0
    max_extensions: int = 0
    never_beyond_s: float = 0.0

    @property
    def window_s(self) -> float:
        """The interval over which processor use is averaged, and at which a session reports."""
        return min(60.0, max(1.0, self.idle_s / 4)) if self.idle_s else 60.0

    def as_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: object) -> Limits:
        """Return the limits in a document; what an older release wrote has fewer of them.

        Raises:
            ValueError: one of them is no number.
        """
        found = document if isinstance(document, Mapping) else {}
        values = {one.name: found[one.name] for one in fields(cls) if one.name in found}
        if not all(isinstance(value, int | float) for value in values.values()):
            raise ValueError("a limit is not a number")
        return cls(**values)


#: Of a session about which nothing is known yet.
UNLIMITED = Limits()
