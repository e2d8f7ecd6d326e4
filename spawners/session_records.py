"""Records of sessions on the hub's disk, written before a backend starts anything.

The hub's database says what a session is only once its start is complete. A record says before that what may come to
run, and keeps a stop that the backend could not carry out. Nothing in it is secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

FOLDER = "records"


@dataclass(frozen=True)
class SessionRecord:
    """One start of one session.

    Attributes:
        start: unique id of the start; the database stores it once the start is complete.
        user: the owner's name in the hub, with `server` the name of the session.
        written: seconds since the epoch.
        is_ready: the start was completed.
        is_stored: the hub's database had the completed start.
        stop_wanted: somebody stopped it, and the backend has not yet confirmed its end.
    """

    start: str
    user: str
    server: str
    backend: str
    proposal: str
    written: float
    is_ready: bool = False
    stop_wanted: bool = False
    is_stored: bool = False


@dataclass(frozen=True)
class RunningSession:
    """What a backend has of one session.

    Attributes:
        name: the session's name on the backend (see `RecordedSessionMixin.name_on_backend`).
        handles: what the backend ends: processes, ids of containers, names of volumes.
        is_unfinished: the backend itself shows that its start was not completed.
    """

    name: str
    handles: tuple[Any, ...]
    is_unfinished: bool = False


class SessionRecords:
    """The records below one `runtime_dir`, in memory and on disk. Readers do not touch the disk."""

    _known: dict[Path, SessionRecords] = {}

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: dict[str, SessionRecord] = {}
        with contextlib.suppress(FileNotFoundError):
            for path in folder.glob("*.json"):
                with contextlib.suppress(OSError, ValueError, TypeError):
                    self._records[path.stem] = SessionRecord(**json.loads(path.read_text()))

    @classmethod
    def of(cls, runtime_dir: Path) -> SessionRecords:
        """Return the records of a directory; they are read once per process."""
        if runtime_dir not in cls._known:
            cls._known[runtime_dir] = cls(runtime_dir / FOLDER)
        return cls._known[runtime_dir]

    def all(self) -> dict[str, SessionRecord]:
        """Return the records by key (see `runtime_dir.session_key`)."""
        return dict(self._records)

    def get(self, key: str) -> SessionRecord | None:
        """Return the record of a session; None if there is none."""
        return self._records.get(key)

    async def write(self, key: str, record: SessionRecord) -> None:
        """Store a record; it outlives this process when this returns.

        Raises:
            OSError: it cannot be stored.
        """
        await asyncio.to_thread(self._store, key, record)
        self._records[key] = record

    async def mark_ready(self, key: str) -> None:
        """Record that the start was completed."""
        if (record := self._records.get(key)) is not None:
            await self.write(key, replace(record, is_ready=True))

    async def mark_stored(self, key: str) -> None:
        """Record that the hub's database has the completed start."""
        if (record := self._records.get(key)) is not None:
            await self.write(key, replace(record, is_stored=True))

    async def mark_unfinished(self, key: str) -> None:
        """Record that the hub did not live to complete the start, whatever became of the session."""
        if (record := self._records.get(key)) is not None and record.is_ready:
            await self.write(key, replace(record, is_ready=False))

    async def want_stop(self, key: str, otherwise: SessionRecord) -> None:
        """Record that a session is to be stopped; `otherwise` is stored if it has no record."""
        record = replace(self._records.get(key) or otherwise, stop_wanted=True)
        # even if the disk is full: this process will carry it out
        self._records[key] = record
        await asyncio.to_thread(self._store, key, record, durable=True)

    async def remove(self, key: str) -> None:
        """Forget a session of which nothing runs."""
        if self._records.pop(key, None) is not None:
            await asyncio.to_thread((self._folder / f"{key}.json").unlink, missing_ok=True)

    def _store(self, key: str, record: SessionRecord, *, durable: bool = False) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._folder / f"{key}.new"
        with temporary.open("w") as file:
            json.dump(asdict(record), file)
            # a start is recorded for a hub that is killed: a power cut ends the sessions of this machine, too, and
            # those elsewhere are found by their label
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(self._folder / f"{key}.json")


def new_record(start: str, user: str, server: str, backend: str, proposal: str) -> SessionRecord:
    """Return the record of a start that begins now."""
    return SessionRecord(start, user, server, backend, proposal, time.time())
