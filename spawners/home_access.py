"""Whether the account can enter its own home: said before the session is built, which would only fail."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence

from daas_hub.accounts import Account
from daas_hub.errors import ErrorKind, StorageProblem
from daas_hub.storage import Pinned

#: Seconds within which the start that makes a home gives it to its owner, and how long another start waits for that.
_NEW_S, _WAIT_S = 10.0, 2.0


def require_usable_home(pinned: Sequence[Pinned], account: Account) -> None:
    """Check owner and mode of the home. One with an access control list has bits for the group, and is left alone.

    Raises:
        StorageProblem: naming what is wrong with it, and who can change that.
    """
    home = next((one for one in pinned if one.mount.target == "."), None)
    # another hub runs sessions as its own user
    if home is None or os.geteuid() != 0:
        return
    status = _status_when_given(home.fd, account)
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid == account.uid:
        if mode & 0o500 != 0o500:
            raise _problem(
                f"Your home directory has mode {mode:04o}, so that you cannot read it.",
                f"Ask the administrators to run chmod u+rwx on the home of {account.name}.",
            )
    elif mode & 0o077 == 0:
        raise _problem(
            f"Your home directory belongs to somebody else: uid {status.st_uid}, and yours is {account.uid}.",
            f"Ask the administrators to give the home of {account.name} to its owner.",
        )


def _status_when_given(fd: int, account: Account) -> os.stat_result:
    """Return the status of a home. One that root has just made is for its owner: two first starts at once see that."""
    until = time.monotonic() + _WAIT_S
    while True:
        status = os.fstat(fd)
        is_new = time.time() - status.st_ctime < _NEW_S and stat.S_IMODE(status.st_mode) == 0o700
        if status.st_uid != 0 or account.uid == 0 or not is_new or time.monotonic() > until:
            return status
        time.sleep(0.01)


def _problem(message: str, remedy: str) -> StorageProblem:
    problem = StorageProblem(message, remedy=f"{remedy} Sessions need a home.", kind=ErrorKind.DIRECTORY_UNREADABLE)
    problem.is_about_home = True
    return problem
