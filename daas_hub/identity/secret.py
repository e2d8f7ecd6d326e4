"""A secret in a file of its own: read when it is needed, refused when others could read it."""

from __future__ import annotations

from pathlib import Path


def read_password(name: str) -> str:
    """Read a password from a file that nobody else can read; one line.

    Raises:
        ValueError: it can be read by others, or is empty (a bind without a password succeeds as nobody).
        OSError: it cannot be read.
    """
    file = Path(name)
    if file.stat().st_mode & 0o077:
        raise ValueError(f"{name} can be read by others than its owner")
    password = file.read_text().rstrip("\r\n")
    if not password:
        raise ValueError(f"{name} is empty")
    return password
