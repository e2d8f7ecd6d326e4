"""A session's server in a pod starts early, and waits until the hub has admitted the session.

`daas-pod` starts it while it proves mounts and wall, because its imports and its X server take as long as the proof.
Until it is admitted it opens nothing of the user, accepts no connection, and starts none of the user's programs.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

#: The environment variable with the descriptor from which a server reads that it was admitted.
ADMITTED_FD = "DAAS_ADMITTED_FD"
#: The programs that wait; another one is started when the session was admitted.
WAITING = ("daas-lab", "daas-session")
ADMITTED = b"\n"


def is_admitted(env: MutableMapping[str, str] = os.environ) -> bool:
    """Wait until it is known whether the session is admitted, and return that; True where it was from the start.

    `daas-pod` reports why one is not.
    """
    number = env.pop(ADMITTED_FD, "")
    if not number:
        return True
    with open(int(number), "rb", buffering=0) as admitted:
        return admitted.read(1) == ADMITTED
