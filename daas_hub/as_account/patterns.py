"""Looks for the one directory that a pattern stands for."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath

from daas_hub.as_account.wanted import DIRECTORY, CannotOpen, Wanted, cannot_open
from daas_hub.errors import ErrorKind


def matching_path(wanted: Wanted) -> str:
    """Return the one directory that a pattern stands for."""
    parts = wanted.parts
    left = [wanted.names]
    try:
        root = os.open(wanted.root, _flags_for(parts))
        try:
            found = []
            for path in _matching(root, parts, left):
                found.append(path)
                if len(found) > 1:
                    raise CannotOpen(
                        "matches several directories, and none of them was chosen", ErrorKind.SEVERAL_MATCHES
                    )
        finally:
            os.close(root)
    except OverflowError:
        raise CannotOpen("is in a directory with too many entries to search", ErrorKind.TOO_MANY_NAMES) from None
    except OSError as error:
        raise cannot_open(error) from error
    if not found:
        raise cannot_open(FileNotFoundError(errno.ENOENT, "no directory matches"))
    return str(PurePosixPath(wanted.root).joinpath(*found[0]))


def _matching(folder: int, parts: tuple[str, ...], left: list[int]) -> Iterator[tuple[str, ...]]:
    """Return each path below an open folder that matches; a link is a match, too, and is refused when it is opened."""
    if not parts:
        yield ()
        return
    for name in _names(folder, parts[0], left):
        try:
            inner = os.open(name, _flags_for(parts[1:]) | os.O_NOFOLLOW, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
                raise
            if error.errno != errno.ENOENT and _is_link(name, folder):
                yield (name, *parts[1:])
            continue
        try:
            for rest in _matching(inner, parts[1:], left):
                yield (name, *rest)
        finally:
            os.close(inner)


def _flags_for(parts: tuple[str, ...]) -> int:
    """Return how a folder is opened before these parts are looked for in it: readable only if its names are."""
    return DIRECTORY | (0 if parts and "*" in parts[0] else os.O_PATH)


def _names(folder: int, part: str, left: list[int]) -> list[str]:
    """Return the names in an open folder that one component stands for."""
    if "*" not in part:
        return [part]
    pattern = re.compile(".*".join(map(re.escape, part.split("*"))))
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            left[0] -= 1
            if left[0] < 0:
                raise OverflowError
            # a hidden directory is nobody's visit
            if pattern.fullmatch(entry.name) and (part.startswith(".") or not entry.name.startswith(".")):
                found.append(entry.name)
    return sorted(found)


def _is_link(name: str, folder: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
