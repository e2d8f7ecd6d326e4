"""Run by SandboxSpawner as its own process: `python -IS forbid_userns.py PID` forbids user namespaces below PID's.

It must join the namespace and write without another exec: an exec would drop the capability that the write needs,
because root does not exist inside.
"""

import ctypes
import os
import sys

_CLONE_NEWUSER = 0x10000000


def main(pid: int) -> None:
    """Join the user namespace of `pid` and set its limit of user namespaces to 0."""
    libc = ctypes.CDLL(None, use_errno=True)
    namespace = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    if libc.setns(namespace, _CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    with open("/proc/sys/user/max_user_namespaces", "w") as limit:
        limit.write("0")


if __name__ == "__main__":
    main(int(sys.argv[1]))
