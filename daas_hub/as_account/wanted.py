"""What a process is asked to open, and in which words it says why it cannot. Pure."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from daas_hub.errors import ErrorKind

#: How every directory is opened.
DIRECTORY = os.O_DIRECTORY | os.O_CLOEXEC

_FAILURES = {
    errno.ENOENT: ("does not exist", ErrorKind.DIRECTORY_MISSING),
    errno.EACCES: ("cannot be read by {who}", ErrorKind.DIRECTORY_UNREADABLE),
    errno.EPERM: ("cannot be read by {who}", ErrorKind.DIRECTORY_UNREADABLE),
    errno.ELOOP: ("contains a symbolic link, which is not followed", ErrorKind.SYMLINK),
    errno.ENOTDIR: (
        "is not a directory, or contains a symbolic link, which is not followed",
        ErrorKind.NOT_A_DIRECTORY,
    ),
    errno.ESTALE: ("is not available (stale file handle)", ErrorKind.STORAGE),
    errno.EIO: ("cannot be read (input/output error)", ErrorKind.STORAGE),
    errno.ENOTCONN: ("is not available (its file server is gone)", ErrorKind.STORAGE),
    errno.EHOSTDOWN: ("is not available (its file server is down)", ErrorKind.STORAGE),
    errno.ETIMEDOUT: ("is not available (its file server does not respond)", ErrorKind.STORAGE),
    errno.ENOKEY: ("needs Kerberos credentials of {who}", ErrorKind.NO_KERBEROS),
    errno.EKEYEXPIRED: ("needs Kerberos credentials of {who}, which have expired", ErrorKind.NO_KERBEROS),
    errno.EDQUOT: ("cannot be created: the quota is exhausted", ErrorKind.NOT_CREATED),
    errno.ENOSPC: ("cannot be created: the storage is full", ErrorKind.NOT_CREATED),
    errno.EROFS: ("cannot be created: the storage is read-only", ErrorKind.NOT_CREATED),
}


@dataclass(frozen=True)
class Wanted:
    """One directory to open (see `daas_hub.launch.Mount`)."""

    root: str
    source: str
    writable: bool = False
    create: bool = False
    owner: tuple[int, int] = (-1, -1)
    mode: int = 0o700
    pattern: bool = False
    #: maximum number of names that are looked at for a pattern
    names: int = 0

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Wanted:
        """Return what `dataclasses.asdict` made of it."""
        return cls(**document | {"owner": tuple(document["owner"])})

    @property
    def parts(self) -> tuple[str, ...]:
        """The components below the root."""
        return PurePosixPath(self.source).relative_to(self.root).parts


class CannotOpen(Exception):
    """Why a directory cannot be opened, worded to follow its name."""

    def __init__(self, words: str, kind: ErrorKind, *, may_root: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.kind = kind
        #: whether rights are all that is missing to create it
        self.may_root = may_root


def cannot_open(error: OSError, otherwise: str = "cannot be opened") -> CannotOpen:
    """Return the text of a system error; "{who}" stands for whose rights were not enough."""
    words, kind = _FAILURES.get(error.errno or 0, (error.strerror or otherwise, ErrorKind.STORAGE))
    return CannotOpen(words, kind)
