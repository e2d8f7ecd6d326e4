"""Amounts of memory and of disk, as a person writes them."""

from __future__ import annotations

_UNITS = ("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)


def bytes_in_words(count: int) -> str:
    """Return a number of bytes in the largest unit of which there is one: "4 GiB", "1.5 GiB"."""
    for unit, size in _UNITS:
        if count >= size:
            return f"{round(count / size, 1):g} {unit}"
    return f"{count} bytes" if count else "0"
