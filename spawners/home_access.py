"""Whether the account can enter its own home: said before the session is built, which would only fail."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from daas_hub.accounts import Account
from daas_hub.errors import ErrorKind, StorageProblem
from daas_hub.storage import Pinned


def require_usable_home(pinned: Sequence[Pinned], account: Account) -> None:
    """Check owner and mode of the home. One with an access control list has bits for the group, and is left alone.

    Raises:
        StorageProblem: naming what is wrong with it, and who can change that.
    """
    home = next((one for one in pinned if one.mount.target == "."), None)
    # another hub runs sessions as its own user
    if home is None or os.geteuid() != 0:
        return
    status = os.fstat(home.fd)
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


def _problem(message: str, remedy: str) -> StorageProblem:
    problem = StorageProblem(message, remedy=f"{remedy} Sessions need a home.", kind=ErrorKind.DIRECTORY_UNREADABLE)
    problem.is_about_home = True
    return problem
