"""Text that others wrote, made fit for pages, logs and databases at the moment it enters. Pure.

Catalogues, user offices and directories hold what people pasted: halves of characters that a database cut, control
characters, marks that reverse the direction of a line, whole documents in a title. Every source passes its text through
here; ids, names of accounts and paths are then checked by stricter rules of their own.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

#: Where a part of a character is missing.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_SURROGATES = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile(r"[^\S\n]+")
#: Invisible characters that are part of words (in Persian, Hindi and others) and of emoji.
_JOINERS = "\u200c\u200d"


def encodable(text: str) -> str:
    """Return a text with U+FFFD in place of surrogates, which UTF-8 cannot express."""
    return text if text.isascii() else _SURROGATES.sub(REPLACEMENT, text)


def lacks_characters(text: str) -> bool:
    """Return whether a part of a character is missing, which this module or an earlier program replaced."""
    return REPLACEMENT in text


def printable(text: str, max_length: int, *, lines: bool = False) -> str:
    """Return a text that can be shown: encodable, without control characters, at most `max_length` characters.

    Args:
        lines: whether line breaks are kept, for texts of several lines; otherwise they become blanks.
    """
    # a title may be megabytes: nothing beyond what can be shown is looked at
    kept = encodable(text[: 4 * max_length])
    if not kept.isascii() or not kept.isprintable():
        kept = "".join(map(_shown, kept.replace("\r\n", "\n").replace("\r", "\n")))
    kept = _BLANKS.sub(" ", kept) if lines else " ".join(kept.split())
    return kept.strip()[:max_length].rstrip()


def encodable_document(value: Any) -> Any:
    """Return a document of JSON whose texts are all encodable.

    Raises:
        ValueError: two keys of an object differ only in what is not encodable.
    """
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [encodable_document(one) for one in value]
    if isinstance(value, dict):
        found = {encodable(key): encodable_document(one) for key, one in value.items()}
        if len(found) != len(value):
            raise ValueError("two keys of an object are the same")
        return found
    return value


def _shown(letter: str) -> str:
    if letter == "\n" or letter in _JOINERS or letter.isprintable():
        return letter
    category = unicodedata.category(letter)
    # marks of direction and the like have no width; private characters are a font's affair
    return "" if category == "Cf" else letter if category == "Co" else " "
