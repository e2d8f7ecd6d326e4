"""Opens directories with the rights of the calling process, component by component.

No symbolic link below the allowed root is ever followed. What is opened is kept open: it is what is compared with the
mount later.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import replace
from pathlib import Path, PurePosixPath

from daas_hub.as_account.create import create, make_passage
from daas_hub.as_account.patterns import matching_path
from daas_hub.as_account.wanted import DIRECTORY, CannotOpen, Wanted, cannot_open
from daas_hub.errors import ErrorKind


def open_below(root: int, path: str) -> int:
    """Open a directory below an open one, through no symbolic link.

    Raises:
        OSError: it is not there, or cannot be reached.
    """
    fd = os.dup(root)
    try:
        for part in PurePosixPath(path).parts:
            inner = os.open(part, DIRECTORY | os.O_NOFOLLOW | os.O_PATH, dir_fd=fd)
            os.close(fd)
            fd = inner
    except OSError:
        os.close(fd)
        raise
    return fd


def open_first(wanted: list[Wanted], *, for_account: bool) -> tuple[int, str, int]:
    """Open the first of these directories that is there; return its index, its path and its descriptor.

    Args:
        for_account: whether the process is an account, whom another one's missing directory is not made for.

    Raises:
        CannotOpen: the first one cannot be opened, or none is there.
    """
    missing: CannotOpen | None = None
    for index, one in enumerate(wanted):
        try:
            source, fd = _open(one, for_account=for_account)
            return index, source, fd
        except CannotOpen as problem:
            if problem.kind is not ErrorKind.DIRECTORY_MISSING:
                raise
            missing = missing or problem
    assert missing is not None
    raise missing


def _open(wanted: Wanted, *, for_account: bool) -> tuple[str, int]:
    if wanted.pattern:
        wanted = replace(wanted, source=matching_path(wanted), pattern=False)
    parts = wanted.parts
    with contextlib.ExitStack() as undo:
        try:
            if wanted.create:
                make_passage(Path(wanted.root), for_account=for_account)
            fd = os.open(wanted.root, DIRECTORY | os.O_PATH)
            for index, part in enumerate(parts):
                undo.callback(os.close, fd)
                if wanted.create:
                    create(wanted, part, fd, last=index == len(parts) - 1, for_account=for_account)
                fd = os.open(part, DIRECTORY | os.O_NOFOLLOW | os.O_PATH, dir_fd=fd)
        except OSError as error:
            raise cannot_open(error) from error
    status = os.fstat(fd)
    if wanted.writable and _is_anybodys(status, wanted.owner[0]):
        os.close(fd)
        raise CannotOpen("can be changed by everybody, and belongs to somebody else", ErrorKind.WORLD_WRITABLE)
    return wanted.source, fd


def _is_anybodys(status: os.stat_result, owner: int) -> bool:
    """Return whether everybody may write to a directory whose owner is neither the administrator nor the person.

    Results that anybody can replace are nobody's. Root's own mode is the administrator's decision.
    """
    return bool(status.st_mode & stat.S_IWOTH) and status.st_uid not in (0, os.geteuid(), owner)
