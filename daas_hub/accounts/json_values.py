"""Read values of JSON documents from other systems: exact types only, and paths into a document. Pure."""

from __future__ import annotations

import re
from typing import Any

_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")


def as_number(value: object) -> int:
    """Return a number, which may be written as a string.

    Raises:
        ValueError: it is anything else, including true and 25001.0.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("is not a number")


def as_text(value: object) -> str:
    """Return a non-empty printable string.

    Raises:
        ValueError: it is anything else.
    """
    if isinstance(value, str) and value and value.isprintable():
        return value
    raise ValueError("is not a string")


def single_item(value: object) -> object:
    """Return the only item of a list; any other value as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def value_at(document: object, path: str) -> Any:
    """Return the value at a dotted path of keys, "account.unix.uid", or None."""
    found: Any = document
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def strings_of(value: object) -> frozenset[str]:
    """Return the strings of a claim: itself, or those in a list. Nothing is converted: true is not "true"."""
    if isinstance(value, str):
        return frozenset({value})
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()
