"""Runs `daas-hub` as a process, with a terminal or a pipe as its standard error."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path


def command(argv: list[str]) -> list[str]:
    return [str(Path(sys.prefix) / "bin" / "daas-hub"), *argv]


def in_a_pipe(argv: list[str]) -> tuple[str, str]:
    """Return what a command prints to standard output and to standard error."""
    ran = subprocess.run(command(argv), capture_output=True, text=True, check=True, timeout=120)
    return ran.stdout, ran.stderr


def on_a_terminal(argv: list[str]) -> tuple[str, str]:
    """Return what a command prints to standard output, and what it shows on a terminal that is its standard error."""
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(command(argv), stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        # its end: the program is gone
        with contextlib.suppress(OSError):
            while block := os.read(ours, 4096):
                shown += block
        os.close(ours)
        assert process.stdout is not None
        printed = process.stdout.read().decode()
        assert process.wait(120) == 0, shown
    return printed, shown.decode()
