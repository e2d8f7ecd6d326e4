"""One hub for one database: a second one would serve the queue once more, and decide about the same sessions.

Beside a SQLite file there is a file that the hub locks; the kernel unlocks it when the hub's process ends. On a server
the hub has a lock by name, with a connection of its own, which asks something every ten seconds. The server closes one
that is silent for longer than half a minute, as after the loss of the hub's machine, and so ends its lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import time
from pathlib import Path
from typing import Any, Protocol

#: Seconds of silence after which a server closes the connection with the lock, and between two questions.
SILENT_S, ASK_S = 30, 10.0
#: Seconds between two attempts.
_AGAIN_S = 0.5
#: "daas": PostgreSQL's locks have numbers, for each database.
_NUMBER = int.from_bytes(b"daas")

_log = logging.getLogger("jupyterhub.daas")


class HubLock(Protocol):
    """The lock of one hub on its database.

    Attributes:
        wait_s: seconds within which the lock of a hub that has ended is free.
    """

    wait_s: float

    def take(self) -> bool:
        """Take it; return False if another hub has it."""

    async def keep(self) -> None:
        """Keep it; return when another hub has it."""


def lock_of(engine: Any) -> HubLock | None:
    """Return the lock on an engine's database; None for one that no other process can have."""
    match engine.dialect.name, engine.url.database:
        case "sqlite", None | "" | ":memory:":
            return None
        case "sqlite", file:
            return FileLock(Path(f"{file}.hub"))
        case "postgresql" | "mysql" | "mariadb", _:
            return ServerLock(engine)
    return None


def wait_for(lock: HubLock) -> bool:
    """Take a lock, and wait for a hub that has just ended; return False if another hub keeps it."""
    until = time.monotonic() + lock.wait_s
    while not lock.take():
        if time.monotonic() >= until:
            return False
        time.sleep(_AGAIN_S)
    return True


class FileLock:
    """A lock on a file, which ends with this process; not inherited by the programs that it starts."""

    wait_s = 5.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def take(self) -> bool:
        """Take it; return False if another hub has it."""
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            if problem.errno in (errno.EACCES, errno.EAGAIN):
                return False
            _log.warning("%s cannot be locked, and a second hub would not be noticed: %s", self._path, problem)
        return True

    async def keep(self) -> None:
        """Keep it for ever: the kernel does."""
        await asyncio.Event().wait()


class ServerLock:
    """A lock of a database server, which ends with its connection."""

    wait_s = SILENT_S + 10.0

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._connection: Any = None

    def take(self) -> bool:
        """Take it; return False if another hub has it, or a connection of ours that the server has not missed yet."""
        # with the hub's own parameters, and not one of its pool, which may be of before a restart
        made = self._engine.pool.recreate().connect()
        connection = made.driver_connection
        made.detach()
        try:
            *settings, question = self._statements(connection)
            for one in settings:
                _ask(connection, one)
            is_taken = _ask(connection, question) in (True, 1)
        except BaseException:
            connection.close()
            raise
        if not is_taken:
            connection.close()
            return False
        self._connection = connection
        return True

    def _statements(self, connection: Any) -> list[str]:
        """Return what limits the silence of a connection, and then what asks for the lock."""
        if self._engine.dialect.name != "postgresql":
            # the names are one server's, whose databases may be several hubs'
            name = hashlib.sha256(str(self._engine.url.database).encode()).hexdigest()[:32]
            return [f"SET SESSION wait_timeout = {SILENT_S}", f"SELECT GET_LOCK('daas-hub-{name}', 0)"]
        limits = ["SET tcp_keepalives_idle = 10", "SET tcp_keepalives_interval = 5", "SET tcp_keepalives_count = 3"]
        if int(_ask(connection, "SHOW server_version_num")) >= 140_000:
            limits.append(f"SET idle_session_timeout = '{SILENT_S}s'")
        return [*limits, f"SELECT pg_try_advisory_lock({_NUMBER})"]

    async def keep(self) -> None:
        """Keep it, also over a restart of the server; return when another hub has it."""
        lost_at = 0.0
        while True:
            await asyncio.sleep(ASK_S if self._connection is not None else _AGAIN_S)
            try:
                if self._connection is not None:
                    await asyncio.to_thread(_ask, self._connection, "SELECT 1")
                elif await asyncio.to_thread(self.take):
                    _log.warning("this hub has its lock on the database again")
                elif time.monotonic() - lost_at > self.wait_s:
                    return
            except Exception as problem:
                # whatever the driver raises: the server was restarted, or does not answer
                if self._connection is not None:
                    _log.warning("this hub has lost its lock on the database: %s", type(problem).__name__)
                self.release()
                lost_at = time.monotonic()

    def release(self) -> None:
        """Release it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()


def _ask(connection: Any, statement: str) -> Any:
    """Execute a statement of one value, or of none, and leave no transaction open."""
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    finally:
        cursor.close()
    connection.commit()
    return row[0] if row else None
