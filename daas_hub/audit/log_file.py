"""Writes events to a rotated file, in a thread: a disk that is slow or full delays and stops nothing."""

from __future__ import annotations

import contextlib
import datetime
import io
import logging
import logging.handlers
import os
import queue
import time
from pathlib import Path

from daas_hub.metrics.audit import count_unwritten

NAME = "audit.jsonl"
#: Events that wait for the disk; more are counted as not written.
_MAX_WAITING = 10_000
#: Seconds between two log lines about events that cannot be written.
_REPORT_EVERY_S = 300.0

_log = logging.getLogger("jupyterhub.daas")


class _Line(logging.Formatter):
    """Returns what the queue has formatted already."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the event."""
        return str(record.msg)


class _Private(logging.FileHandler):
    """Opens files that only their owner can read, and reports what cannot be written."""

    _reported_at = -_REPORT_EVERY_S

    def emit(self, record: logging.LogRecord) -> None:
        """Write an event; whatever goes wrong, the thread continues."""
        try:
            super().emit(record)
        except Exception:
            self.handleError(record)

    def _open(self) -> io.TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        os.fchmod(descriptor, 0o600)
        return io.TextIOWrapper(io.BufferedWriter(io.FileIO(descriptor, "a")), encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name of logging
        """Count an event that was not written, and log that now and then."""
        count_unwritten()
        now = time.monotonic()
        if now - self._reported_at >= _REPORT_EVERY_S:
            self._reported_at = now
            _log.exception("events of the audit cannot be written")


class DailyFile(_Private, logging.handlers.TimedRotatingFileHandler):
    """A file for each day with events; those of more than `backupCount` days ago are removed."""

    def getFilesToDelete(self) -> list[str]:  # noqa: N802  # the name of logging
        """Return the files that are too old; the base class counts files, and a quiet day has none."""
        first = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=self.backupCount)
        files = Path(self.baseFilename).parent.glob(f"{NAME}.????-??-??")
        return sorted(str(one) for one in files if one.name.removeprefix(f"{NAME}.") < first.isoformat())

    def remove_old(self) -> None:
        """Remove the files that are too old now, as also happens when a new day's file begins."""
        for path in self.getFilesToDelete():
            with contextlib.suppress(OSError):
                Path(path).unlink()


class MovedFile(_Private, logging.handlers.WatchedFileHandler):
    """A file that logrotate moves."""


class _Waiting(logging.handlers.QueueHandler):
    """Takes an event without waiting for the disk."""

    def enqueue(self, record: logging.LogRecord) -> None:
        """Keep an event for the thread; count it if too many wait."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            count_unwritten()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name of logging
        """Count an event that could not be formatted."""
        count_unwritten()


class AuditFile:
    """The file, and the thread that writes it.

    Args:
        folder: the directory, which is made when the first event is written.
        keep_days: see `Audit.keep_days`.
    """

    def __init__(self, folder: Path, keep_days: int) -> None:
        path = str(folder / NAME)
        self.file: logging.Handler
        if keep_days:
            self.file = DailyFile(path, when="midnight", utc=True, backupCount=keep_days, delay=True, encoding="utf-8")
            self.file.remove_old()
        else:
            self.file = MovedFile(path, delay=True, encoding="utf-8")
        self.file.setFormatter(_Line())
        waiting: queue.Queue[logging.LogRecord] = queue.Queue(_MAX_WAITING)
        self.handler = _Waiting(waiting)
        self._listener = logging.handlers.QueueListener(waiting, self.file)
        self._listener.start()

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._listener.stop()
        self.file.close()
