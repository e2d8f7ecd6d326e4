"""The time of the last human input, in this process and in the desktops that a notebook server starts."""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from pathlib import Path

from daas_hub.session import clock
from daas_hub.session.round_trips import RoundTrips

#: A file that a desktop inside a notebook session touches when it is used.
USED_FILE = "used"
_TOUCH_EVERY_S = 1.0


class Activity:
    """The time of the last human input; the start counts as one.

    Args:
        used_file: touched at human input, for the notebook server that this desktop is in.
    """

    def __init__(self, used_file: Path | None = None) -> None:
        self._last = clock.now()
        self._used_file = used_file
        #: What the pages of this session measured.
        self.round_trips = RoundTrips()
        self._touched = 0.0

    @property
    def last(self) -> datetime.datetime:
        """The time of the last input, in UTC."""
        unused = datetime.timedelta(seconds=clock.now() - self._last)
        return (datetime.datetime.now(datetime.UTC) - unused).replace(microsecond=0)

    @property
    def last_use(self) -> float:
        """The same by the session's clock."""
        return self._last

    def note(self) -> None:
        """Record human input now."""
        self._last = clock.now()
        if self._used_file is not None and self._last - self._touched >= _TOUCH_EVERY_S:
            self._touched = self._last
            with contextlib.suppress(OSError):
                self._used_file.touch()

    def note_at(self, moment: float) -> None:
        """Record human input at a moment of the session's clock."""
        self._last = max(self._last, min(moment, clock.now()))

    def look(self) -> None:
        """Look for use that other processes see; called before each report."""


def used_file(folder: str = "") -> Path:
    """Return the file that desktops inside a notebook session touch."""
    return Path(folder or os.environ.get("XDG_RUNTIME_DIR", "/run/session"), USED_FILE)


def moment_of_touch(file: Path) -> float:
    """Return when a file was touched last, by the session's clock; 0 if never."""
    try:
        return clock.now() - max(0.0, time.time() - file.stat().st_mtime)
    except OSError:
        return 0.0
