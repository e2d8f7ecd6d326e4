"""The gid map of a session's user namespace, within the kernel's limits. Pure.

A map has at most 340 ranges, and is written at once, in less than a page. Consecutive gids share a range. A group that
does not fit still counts for access to files, because the kernel compares the process's own groups with a file's; the
session only shows it as 65534 (nogroup), and cannot give a file to it.
"""

from __future__ import annotations

from collections.abc import Iterable

from daas_hub.accounts import Account
from daas_hub.errors import ErrorKind, SessionFailed

#: UID_GID_MAP_MAX_EXTENTS, since Linux 4.15.
MAX_RANGES = 340
#: A page, where the kernel's is smallest; the map must be shorter.
MAX_BYTES = 4096
#: NGROUPS_MAX: the supplementary groups of a process.
MAX_GROUPS = 65_536


def groups_of(account: Account) -> list[int]:
    """Return the gids of an account's processes, each once, the primary group first.

    Raises:
        SessionFailed: there are more than a process may have.
    """
    gids = list(dict.fromkeys([account.gid, *account.groups]))
    if len(gids) > MAX_GROUPS:
        raise SessionFailed(
            f"Your account has {len(gids):,} groups, and a process on Linux can have {MAX_GROUPS:,}.",
            remedy="Trying again does not help. Please ask the user office to remove you from some groups.",
            kind=ErrorKind.ACCOUNT_UNUSABLE,
        )
    return gids


def gid_map(gids: Iterable[int], first: Iterable[int] = ()) -> tuple[str, int]:
    """Return the map that shows each gid as itself, and how many did not fit.

    Args:
        first: those among them that must fit: the primary group, and the groups of writable directories.
    """
    wanted = set(gids)
    ranges = _ranges(wanted)
    needed = set(first) & wanted
    # the needed ones first, then the largest ranges: most gids for a line
    ranges.sort(key=lambda one: (not any(0 <= gid - one[0] < one[1] for gid in needed), -one[1], one[0]))
    text, unmapped, lines = "", 0, 0
    for start, count in ranges:
        line = f"{start} {start} {count}\n"
        if lines < MAX_RANGES and len(text) + len(line) < MAX_BYTES:
            text += line
            lines += 1
        else:
            unmapped += count
    return text, unmapped


def _ranges(gids: set[int]) -> list[tuple[int, int]]:
    """Return ranges (first gid, count) of consecutive gids, ascending."""
    found: list[tuple[int, int]] = []
    for gid in sorted(gids):
        if found and found[-1][0] + found[-1][1] == gid:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((gid, 1))
    return found
