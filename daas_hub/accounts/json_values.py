"""Values as other people's JSON tells them: a number is a number, or refused; paths lead into a document. Pure."""

from __future__ import annotations

import re
from typing import Any

_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")


def number(told: object) -> int:
    """Return a number that is one, or is written as text.

    Raises:
        ValueError: it is anything else; true and 25001.0 are.
    """
    if isinstance(told, str) and _NUMBER.fullmatch(told):
        return int(told)
    if isinstance(told, int) and not isinstance(told, bool):
        return told
    raise ValueError("is not a number")


def text(told: object) -> str:
    """Return a text that could stand in a log.

    Raises:
        ValueError: it is none, or empty.
    """
    if isinstance(told, str) and told and told.isprintable():
        return told
    raise ValueError("is not a text")


def alone(told: object) -> object:
    """Return what stands alone in a list; anything else as it is."""
    return told[0] if isinstance(told, list) and len(told) == 1 else told


def at(document: object, path: str) -> Any:
    """Return what stands in a document at a path of keys, "account.unix.uid"; None if nothing does."""
    found: Any = document
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def strings_of(value: object) -> frozenset[str]:
    """Return the strings of a claim: itself, or those in a list. Nothing is converted: true is not "true"."""
    if isinstance(value, str):
        return frozenset({value})
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()
