"""Gives up root: the calling process becomes an account with exactly its groups, and without capabilities."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def become(uid: int, gid: int, groups: Sequence[int]) -> None:
    """Become the account, for good.

    Raises:
        OSError: the process may not change its ids, or a capability is left.
    """
    wanted = list(dict.fromkeys([gid, *groups]))
    os.setgroups(wanted)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if os.getresuid() != (uid,) * 3 or os.getresgid() != (gid,) * 3 or set(os.getgroups()) != set(wanted):
        raise PermissionError("the ids were not changed")
    if capabilities() != 0:
        raise PermissionError("capabilities are left")


def capabilities() -> int:
    """Return the effective and permitted capabilities of this process, as bits."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["CapEff"], 16) | int(fields["CapPrm"], 16)


def can_become() -> bool:
    """Return whether this process may become any account: it is root, with CAP_SETGID (6) and CAP_SETUID (7)."""
    return os.geteuid() == 0 and capabilities() >> 6 & 3 == 3
