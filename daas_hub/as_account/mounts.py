"""Mounts of open directories: a descriptor is mounted where it is wanted, and no path to the storage is walked.

For a process that is root and alone in its thread: it enters another program's mount namespace, for good.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

# numbers that every architecture shares
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_OPEN_TREE_CLONE = 1
_FROM_EMPTY_PATH, _TO_EMPTY_PATH = 0x4, 0x40
_RDONLY, _MS_PRIVATE = 0x1, 1 << 18
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_CLONE_NEWNS = 0x20000

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    )


def clone_tree(fd: int, *, read_only: bool) -> int:
    """Return a copy of the mount of an open directory, with all that is mounted below; it is attached nowhere yet.

    What is mounted on the copy later must not appear in the original: it is private. Read-only holds all the way down.
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH | _AT_RECURSIVE
    tree = _checked(_libc.syscall(_OPEN_TREE, fd, b"", flags))
    wanted = _MountAttributes(_RDONLY if read_only else 0, 0, _MS_PRIVATE, 0)
    try:
        flags = _AT_EMPTY_PATH | _AT_RECURSIVE
        _checked(_libc.syscall(_MOUNT_SETATTR, tree, b"", flags, ctypes.byref(wanted), ctypes.sizeof(wanted)))
    except OSError:
        os.close(tree)
        raise
    return tree


def attach_tree(tree: int, target: int) -> None:
    """Mount a tree on an open directory."""
    _checked(_libc.syscall(_MOVE_MOUNT, tree, b"", target, b"", _FROM_EMPTY_PATH | _TO_EMPTY_PATH))


def detach_all(paths: Sequence[str]) -> None:
    """Unmount what is mounted at these paths, also where it is in use; nothing mounted there is no error."""
    for path in paths:
        _libc.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW)


def enter_mount_namespace(fd: int) -> None:
    """Enter the mount namespace of an open /proc/<pid>/ns/mnt."""
    _checked(_libc.setns(fd, _CLONE_NEWNS))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)
