"""The output of a session: its end, and the sentence with which it reports why it could not start."""

from __future__ import annotations

import contextlib
import os
from typing import IO

#: Prefix of the line with which a session reports why it could not start (`daas_hub/session/server.py`).
FAILURE_MARK = "daas-session: failed: "


def last_output_of(log: IO[bytes], *, characters: int = 2000) -> str:
    """Return the end of a session's output file on one line, safe for a log."""
    with contextlib.suppress(OSError, ValueError):
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - characters))
        return last_output(log.read().decode(errors="replace"))
    return ""


def last_output(output: str, *, characters: int = 2000) -> str:
    """Return the end of a session's output on one line, safe for a log."""
    return repr(output[-characters:].strip())[1:-1]


def failure_message(log: IO[bytes]) -> str:
    """Return why `daas-session` failed, from its output file; "" if it did not say."""
    with contextlib.suppress(OSError, ValueError):
        log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
        return failure_in(log.read().decode(errors="replace"))
    return ""


def failure_in(output: str) -> str:
    """Return why `daas-session` failed, from its output; "" if it did not say."""
    for line in reversed(output.splitlines()):
        if line.startswith(FAILURE_MARK):
            return "".join(letter for letter in line[len(FAILURE_MARK) :] if letter.isprintable())[:300]
    return ""
