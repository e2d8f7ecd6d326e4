"""The output of a session: its end, and the sentence with which it reports why it could not start.

A sandbox prints into a pipe. A program outside of it, `tail`, reads that pipe and keeps the end in memory, so a session
that prints without end fills no disk, and a hub that is restarted neither ends nor blocks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

#: Prefix of the line with which a session reports why it could not start (`daas_hub/session/server.py`).
FAILURE_MARK = "daas-session: failed: "
#: Prefix of the line with which a session reports that it ended itself, before the reason.
OWN_END_MARK = "daas-session: ended: "
#: Number of bytes at the end of a session's output that are kept.
KEPT_BYTES = 65_536
#: Seconds to wait for the end of the output after the session's last process has ended.
_END_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class KeptOutput:
    """The pipe that a session prints into, and the program that keeps the end of it.

    Attributes:
        writer: the end of the pipe for the session; the code that starts the session closes it.
        keeper: the program. It ends with the session, and then writes what it kept into `file`.
        file: in a directory of the hub's, of at most `KEPT_BYTES`.
    """

    writer: IO[bytes]
    keeper: asyncio.subprocess.Process
    file: IO[bytes]

    @classmethod
    async def start(cls, path: Path) -> KeptOutput:
        """Start the program, with a new file of this path, and open its pipe."""
        with contextlib.ExitStack() as undo:
            file = undo.enter_context(_new_file(path))
            read, write = os.pipe()
            writer = undo.enter_context(os.fdopen(write, "wb", buffering=0))
            try:
                keeper = await asyncio.create_subprocess_exec(
                    "tail", "-c", str(KEPT_BYTES),
                    stdin=read, stdout=file, stderr=asyncio.subprocess.DEVNULL, cwd="/", start_new_session=True,
                )  # fmt: skip
            finally:
                os.close(read)
            undo.pop_all()
        return cls(writer, keeper, file)

    async def result(self) -> str:
        """Return the end of the output, once the session has ended."""
        self.writer.close()
        with self.file, contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.keeper.wait(), _END_TIMEOUT_S)
            return os.pread(self.file.fileno(), KEPT_BYTES, 0).decode(errors="replace")
        return ""


async def output_of_earlier_hub(path: Path) -> str:
    """Return the end of the output of a session that has ended, and that an earlier process of the hub started."""
    text = kept_output(path)
    for _ in range(20):
        # the keeper is nobody's child now, and may need a moment more than the session; None after a refused launch
        if text != "":
            break
        await asyncio.sleep(0.05)
        text = kept_output(path)
    return text or ""


def kept_output(path: Path) -> str | None:
    """Return what is in a file of kept output; None if there is no such file."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(KEPT_BYTES).decode(errors="replace")
    return None


def _new_file(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb+")


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


def failure_in(output: str) -> str:
    """Return why `daas-session` failed, from its output; "" if it did not say."""
    for line in reversed(output.splitlines()):
        if line.startswith(FAILURE_MARK):
            return "".join(letter for letter in line[len(FAILURE_MARK) :] if letter.isprintable())[:300]
    return ""


def own_end_in(output: str) -> str:
    """Return why a session ended itself, as it printed it (a `daas_hub.lifetime.Reason`); "" if it did not."""
    lines = [line for line in output.splitlines() if line.startswith(OWN_END_MARK)]
    return lines[-1][len(OWN_END_MARK) :].strip() if lines else ""
