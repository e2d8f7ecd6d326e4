"""`daas-probe`: print as JSON what a session sees and may do. It runs in place of a session, and exits.

It imports nothing of this package, so that the doctor can run this file alone, as an account and outside of a session:
`probe.py PATH` looks at one directory, `probe.py PATH write` also tries to write to it. It changes nothing: where
it can write, it creates an empty file and removes it again.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import sys
from typing import Any

#: Maximum number of entries that are counted.
MAX_ENTRIES = 1000


def main() -> int:
    """Print the report of the home and everything mounted below it, or of the directory on the command line."""
    home, named = os.environ.get("HOME", "/"), sys.argv[1:2]
    writes = not named or sys.argv[2:] == ["write"]
    paths = named or [home, *mounts_below(home)]
    report: dict[str, Any] = {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": sorted({os.getgid(), *os.getgroups()}),
        "filters_calls": filters_calls(),
        "directories": {path: look(path, writes=writes) for path in paths},
    }
    print("daas-probe " + json.dumps(report), flush=True)
    return 0


def mounts_below(folder: str) -> list[str]:
    """Return the mount points below a folder, in the order of their mounts."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        # the kernel writes blanks and backslashes of a path as octal numbers
        points = [re.sub(r"\\([0-7]{3})", lambda one: chr(int(one[1], 8)), line.split()[4]) for line in lines]
    return list(dict.fromkeys(point for point in points if point.startswith(folder.rstrip("/") + "/")))


def filters_calls() -> bool:
    """Return whether the kernel filters the system calls of this process."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as lines:
        return any(line.split() == ["Seccomp:", "2"] for line in lines)


def look(path: str, *, writes: bool) -> dict[str, Any]:
    """Return the number of entries of a directory, and the error of writing to it: "" or its name."""
    try:
        with os.scandir(path) as entries:
            count = sum(1 for _ in zip(entries, range(MAX_ENTRIES), strict=False))
    except OSError as error:
        return {"problem": errno.errorcode.get(error.errno or 0, "?")}
    return {"entries": count, "write": _written(path) if writes else ""}


def _written(path: str) -> str:
    name = os.path.join(path, f".daas-probe-{secrets.token_hex(6)}")
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        os.unlink(name)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return ""


if __name__ == "__main__":
    sys.exit(main())
