"""Run by SandboxSpawner: `python -IS set_groups.py GID... -- PROGRAM...` runs a program with these groups.

It is used where they are too many for one argument of setpriv.
"""

import os
import sys


def main(argv: list[str]) -> None:
    """Set the supplementary groups, and replace this process by the program."""
    end = argv.index("--")
    os.setgroups([int(gid) for gid in argv[:end]])
    program = argv[end + 1 :]
    os.execvp(program[0], program)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
