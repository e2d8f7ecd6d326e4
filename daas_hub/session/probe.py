"""`daas-probe`: what a session sees and may do, told as JSON on its own output. It runs instead of a session, and ends.

It imports nothing of the house, so that the doctor can run this file by itself, as an account and outside of a session:
`probe.py PATH` looks at one directory, `probe.py PATH write` also tries to write there. It changes nothing: what it
makes where it may write is an empty file that it takes away again.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import sys
from typing import Any

#: Names that are listed of a directory, at most.
MAX_ENTRIES = 1000


def main() -> int:
    """Look at the home and everything that is mounted in it, or at the directory of the command line, and tell."""
    home, asked = os.environ.get("HOME", "/"), sys.argv[1:2]
    writes = not asked or sys.argv[2:] == ["write"]
    paths = asked or [home, *mounts_below(home)]
    told: dict[str, Any] = {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": sorted({os.getgid(), *os.getgroups()}),
        "directories": {path: look(path, writes=writes) for path in paths},
    }
    print("daas-probe " + json.dumps(told), flush=True)
    return 0


def mounts_below(folder: str) -> list[str]:
    """Return what is mounted below a folder, in the order it was."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        # the kernel writes blanks and backslashes of a path as octal numbers
        points = [re.sub(r"\\([0-7]{3})", lambda one: chr(int(one[1], 8)), line.split()[4]) for line in lines]
    return list(dict.fromkeys(point for point in points if point.startswith(folder.rstrip("/") + "/")))


def look(path: str, *, writes: bool) -> dict[str, Any]:
    """Tell how many entries a directory has, and what came of writing into it: "" or the name of the error."""
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
