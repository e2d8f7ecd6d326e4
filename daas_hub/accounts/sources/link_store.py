"""Which logins people connected with which facility accounts, kept in one private SQLite file.

What is kept is who, which account and when: no password, no token. The hub may write while a command reads: SQLite
keeps them apart, and what is written is on the disk when it is told to be.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TypeVar

from daas_hub.accounts.model import Identity
from daas_hub.accounts.refusals import LATER
from daas_hub.errors import ErrorKind, Refused, SourceUnavailable

_Answer = TypeVar("_Answer")

#: The form of the file; a hub that does not know it leaves it alone.
_VERSION = 1
_TABLE = """
CREATE TABLE links (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    as_issuer TEXT NOT NULL,
    as_subject TEXT NOT NULL,
    account TEXT NOT NULL,
    uid INTEGER NOT NULL,
    made_at REAL NOT NULL,
    PRIMARY KEY (issuer, subject)
)
"""
_COLUMNS = "issuer, subject, as_issuer, as_subject, account, uid, made_at"
#: Seconds to wait for another process that writes.
_BUSY_S = 5.0


@dataclass(frozen=True)
class Link:
    """A login that stands for another one: the one by which the facility knows the person.

    Attributes:
        as_issuer, as_subject: that other one, a password login of the facility.
        account: the account's name when they were connected.
        uid: its number when they were connected: a name that was given to somebody else has another.
        made_at: when, in seconds since 1970.
    """

    issuer: str
    subject: str
    as_issuer: str
    as_subject: str
    account: str
    uid: int
    made_at: float

    @property
    def identity(self) -> Identity:
        """The login."""
        return Identity(self.issuer, self.subject)

    @property
    def known_as(self) -> Identity:
        """The login it stands for."""
        return Identity(self.as_issuer, self.as_subject)


class TooManyLinks(Refused):
    """The account has as many logins as one may have."""

    reason = "links"


class LinkStore:
    """The links of one facility. Nothing is created before the first of them is made.

    Args:
        path: of the file; its folder is made private, as the file is.
        max_per_account: so many logins one account may have.
        clock: seconds since 1970.

    Every method raises `SourceUnavailable` if the file cannot be used: nothing may be concluded then.
    """

    def __init__(self, path: Path, *, max_per_account: int = 10, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._most = max_per_account
        self._clock = clock

    async def link_of(self, issuer: str, subject: str) -> Link | None:
        """Return the link of a login; None if there is none."""

        def find(links: sqlite3.Connection) -> Link | None:
            asked = f"SELECT {_COLUMNS} FROM links WHERE issuer = ? AND subject = ?"  # noqa: S608  # our own words
            row = links.execute(asked, (issuer, subject)).fetchone()
            return Link(*row) if row else None

        return await self._ask(find, None)

    async def links_of(self, account: str, uid: int) -> tuple[Link, ...]:
        """Return the logins of an account, the oldest first."""
        return tuple(one for one in await self.all_links(account) if one.uid == uid)

    async def all_links(self, account: str = "") -> tuple[Link, ...]:
        """Return every link, or those of an account's name, the oldest first."""

        def read(links: sqlite3.Connection) -> tuple[Link, ...]:
            asked = f"SELECT {_COLUMNS} FROM links WHERE ? IN ('', account) ORDER BY made_at, issuer, subject"  # noqa: S608
            return tuple(Link(*row) for row in links.execute(asked, (account,)))

        return await self._ask(read, ())

    async def connect(self, identity: Identity, known_as: Identity, account: str, uid: int) -> Link:
        """Let a login stand for another one, which has this account; what it stood for before is forgotten.

        Raises:
            TooManyLinks: the account has as many as one may have.
        """
        link = Link(identity.issuer, identity.subject, known_as.issuer, known_as.subject, account, uid, self._clock())

        def write(links: sqlite3.Connection) -> Link:
            with links:
                # the lock comes before the count
                links.execute("BEGIN IMMEDIATE")
                (others,) = links.execute(
                    "SELECT count(*) FROM links WHERE account = ? AND uid = ? AND NOT (issuer = ? AND subject = ?)",
                    (account, uid, link.issuer, link.subject),
                ).fetchone()
                if others >= self._most:
                    raise TooManyLinks(
                        f"The account {account} is connected with {others} logins already; that is the limit.",
                        remedy="Sign in with one of them, and remove one that is not used any more.",
                    )
                values = "?, ?, ?, ?, ?, ?, ?"
                links.execute(f"INSERT OR REPLACE INTO links ({_COLUMNS}) VALUES ({values})", astuple(link))  # noqa: S608
            return link

        return await self._in_thread(write, create=True)

    async def remove(self, issuer: str, subject: str, *, account: str = "") -> bool:
        """Remove the link of a login, where an account is named only one to that; tell whether there was one."""

        def delete(links: sqlite3.Connection) -> bool:
            with links:
                done = links.execute(
                    "DELETE FROM links WHERE issuer = ? AND subject = ? AND ? IN ('', account)",
                    (issuer, subject, account),
                )
            return done.rowcount > 0

        return await self._ask(delete, False)

    async def _ask(self, question: Callable[[sqlite3.Connection], _Answer], nothing: _Answer) -> _Answer:
        """Ask the file; `nothing` is the answer while there is none, or one without its table yet."""

        def asked(links: sqlite3.Connection) -> _Answer:
            return question(links) if _has_table(links) else nothing

        if not await asyncio.to_thread(os.path.lexists, self.path):
            return nothing
        return await self._in_thread(asked)

    async def _in_thread(self, do: Callable[[sqlite3.Connection], _Answer], *, create: bool = False) -> _Answer:
        def work() -> _Answer:
            with self._opened(create=create) as links:
                return do(links)

        try:
            return await asyncio.to_thread(work)
        except (sqlite3.Error, OSError) as error:
            raise SourceUnavailable(
                "The list of connected logins cannot be read at the moment.",
                remedy=LATER,
                detail=f"{self.path}: {error}",
                kind=_kind_of(error),
            ) from error

    @contextlib.contextmanager
    def _opened(self, *, create: bool) -> Iterator[sqlite3.Connection]:
        if create:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives its journals the mode of the file
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        self._require_private()
        links = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        try:
            if create and not _has_table(links):
                with links:
                    # table and form come together or not at all, also on a disk that is full
                    links.execute("BEGIN IMMEDIATE")
                    if not _has_table(links):
                        links.execute(_TABLE)
                        links.execute(f"PRAGMA user_version = {_VERSION}")
            yield links
        finally:
            links.close()

    def _require_private(self) -> None:
        """Check that nobody but the hub can read the file, or put another into its place."""
        folder, status = self.path.parent.lstat(), self.path.lstat()
        if not stat.S_ISDIR(folder.st_mode) or folder.st_mode & 0o022:
            raise PermissionError(f"others can change its folder: chmod 700 {self.path.parent}")
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no plain file")
        if status.st_mode & 0o077:
            raise PermissionError(f"others can read or change it: chmod 600 {self.path}")
        # root may look at what is the hub's
        if os.geteuid() not in (0, status.st_uid):
            raise PermissionError(f"it belongs to another user: chown {os.geteuid()} {self.path}")


class _UnknownVersion(OSError):
    """The file was written by another release."""


def _kind_of(error: sqlite3.Error | OSError) -> ErrorKind:
    if isinstance(error, PermissionError):
        return ErrorKind.FILE_PERMISSIONS
    # a database that is only locked is an `OperationalError`
    if isinstance(error, _UnknownVersion) or type(error) is sqlite3.DatabaseError:
        return ErrorKind.LINK_STORE_DAMAGED
    return ErrorKind.UNAVAILABLE


def _has_table(links: sqlite3.Connection) -> bool:
    """Return whether the table is there; one that was never finished is none.

    Raises:
        OSError: the file has a form this release does not know.
    """
    # in one question: between two, somebody else may make it
    both = "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    version, tables = links.execute(both).fetchone()
    if (version, tables > 0) not in ((0, False), (_VERSION, True)):
        raise _UnknownVersion(f"it has form {version}, and this release knows form {_VERSION}")
    return bool(tables)
